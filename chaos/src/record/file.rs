//! A history as a file: JSON lines, compressed as gzip does, so that `zcat` shows it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Completion, FORMAT, FaultEvent, Final, Header, Invocation, Line, LogPage, Sample};

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be used.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A line says nothing that this version knows.
    #[error("{path}, line {line}: {cause}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
}

/// A call, and what became of it; without a completion nobody was told anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What was asked for.
    pub invoked: Invocation,
    /// What became of it.
    pub completed: Option<Completion>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was run.
    pub header: Header,
    /// Calls in the order in which they were asked.
    pub operations: Vec<Operation>,
    /// Faults in the order in which they came.
    pub faults: Vec<FaultEvent>,
    /// How nodes did.
    pub samples: Vec<Sample>,
    /// What replicas have written down.
    pub logs: Vec<LogPage>,
    /// What was there in the end.
    pub finals: Vec<Final>,
    /// Whether the file ends in the middle: who wrote it was killed.
    pub is_torn: bool,
}

impl Run {
    /// A run of which nothing but its header is known yet.
    #[must_use]
    pub const fn new(header: Header) -> Self {
        Self {
            header,
            operations: Vec::new(),
            faults: Vec::new(),
            samples: Vec::new(),
            logs: Vec::new(),
            finals: Vec::new(),
            is_torn: false,
        }
    }
}

/// Writes a history, line after line.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    out: GzEncoder<BufWriter<File>>,
}

impl HistoryWriter {
    /// Creates the file, with its header.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn create(path: &Path, header: &Header) -> Result<Self, HistoryError> {
        let file = File::create(path).map_err(|cause| file_error(path, cause))?;
        let mut writer = Self {
            path: path.to_owned(),
            out: GzEncoder::new(BufWriter::new(file), Compression::fast()),
        };
        writer.line(&Line::Header(header.clone()))?;
        Ok(writer)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn line(&mut self, line: &Line) -> Result<(), HistoryError> {
        let written = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut text| {
                text.push(b'\n');
                self.out.write_all(&text)
            });
        written.map_err(|cause| file_error(&self.path, cause))
    }

    /// Ends the file, and waits until it is on disk.
    ///
    /// # Errors
    /// [`HistoryError::File`].
    pub fn finish(self) -> Result<(), HistoryError> {
        let path = self.path;
        let ended = self.out.finish().and_then(|out| {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()
        });
        ended.map_err(|cause| file_error(&path, cause))
    }
}

/// Reads histories.
#[derive(Debug, Clone, Copy)]
pub struct HistoryReader;

impl HistoryReader {
    /// Reads a whole history.
    ///
    /// # Errors
    /// [`HistoryError`]; a file that ends in the middle is read as far as it goes.
    pub fn read(path: &Path) -> Result<Run, HistoryError> {
        let file = File::open(path).map_err(|cause| file_error(path, cause))?;
        let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
        let mut read = Reading {
            path,
            line: 0,
            run: None,
            places: HashMap::new(),
        };
        let mut text = Vec::new();
        let is_torn = loop {
            text.clear();
            let taken = io::Read::take(&mut lines, LINE_BYTES_MAX).read_until(b'\n', &mut text);
            match taken {
                Ok(0) => break false,
                Ok(_) if text.ends_with(b"\n") => read.line(&text)?,
                Ok(_) => break true,
                Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => break true,
                Err(cause) => return Err(file_error(path, cause)),
            }
        };
        let mut run = read.run.ok_or_else(|| HistoryError::Line {
            path: path.to_owned(),
            line: 1,
            cause: "there is no header".to_owned(),
        })?;
        run.is_torn = is_torn;
        Ok(run)
    }
}

/// A history that is being read.
struct Reading<'a> {
    path: &'a Path,
    line: usize,
    run: Option<Run>,
    /// Where a call stands, by its number.
    places: HashMap<u64, usize>,
}

impl Reading<'_> {
    fn line(&mut self, text: &[u8]) -> Result<(), HistoryError> {
        self.line += 1;
        let line = serde_json::from_slice(text).map_err(|cause| self.bad(cause.to_string()))?;
        match (self.run.as_mut(), line) {
            (None, Line::Header(header)) if header.format <= FORMAT => {
                self.run = Some(Run::new(header));
            }
            (None, Line::Header(header)) => {
                return Err(self.bad(format!(
                    "format {} is later than {FORMAT}: use a later version",
                    header.format
                )));
            }
            (None, _) => return Err(self.bad("a history begins with its header".to_owned())),
            (Some(_), Line::Header(_)) => return Err(self.bad("a second header".to_owned())),
            (Some(run), Line::Invoked(invoked)) => {
                let place = run.operations.len();
                if self.places.insert(invoked.call, place).is_some() {
                    let call = invoked.call;
                    return Err(self.bad(format!("call {call} is asked a second time")));
                }
                run.operations.push(Operation {
                    invoked,
                    completed: None,
                });
            }
            (Some(run), Line::Completed(completed)) => {
                let place = self.places.get(&completed.call);
                match place.and_then(|place| run.operations.get_mut(*place)) {
                    Some(operation) if operation.completed.is_none() => {
                        operation.completed = Some(completed);
                    }
                    _ => {
                        let call = completed.call;
                        return Err(self.bad(format!("call {call} was not asked, or is over")));
                    }
                }
            }
            (Some(run), Line::Fault(fault)) => run.faults.push(fault),
            (Some(run), Line::Sample(sample)) => run.samples.push(sample),
            (Some(run), Line::Log(page)) => run.logs.push(page),
            (Some(run), Line::Final(last)) => run.finals.push(last),
        }
        Ok(())
    }

    fn bad(&self, cause: String) -> HistoryError {
        HistoryError::Line {
            path: self.path.to_owned(),
            line: self.line,
            cause,
        }
    }
}

fn file_error(path: &Path, cause: io::Error) -> HistoryError {
    HistoryError::File {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::path::PathBuf;

    use super::{HistoryReader, HistoryWriter};
    use crate::record::{
        Answered, Bounds, Call, Completion, FORMAT, Header, Invocation, Line, Outcome,
    };

    fn header() -> Header {
        Header {
            format: FORMAT,
            scenario: "calm".to_owned(),
            seed: 7,
            build: "0.1.0".to_owned(),
            started: "2027-06-01T00:00:00Z".to_owned(),
            regions: BTreeMap::from([("eu-west".to_owned(), vec![2])]),
            rerun: "meridian chaos run calm --seed 7".to_owned(),
            required: vec![],
            left_out: Vec::new(),
            bounds: Bounds::default(),
        }
    }

    fn lines() -> [Line; 2] {
        let invoked = Invocation {
            at_us: 10,
            call: 1,
            client: 3,
            region: "eu-west".to_owned(),
            node: 2,
            what: Call::ReadListing {
                listing: "lst_a".to_owned(),
                session: Some(1),
            },
        };
        let completed = Completion {
            at_us: 20,
            call: 1,
            outcome: Outcome::Ok(Answered {
                amenities: Some(vec!["wifi".to_owned()]),
                ..Answered::default()
            }),
            served_by: Some("eu-west/2".to_owned()),
        };
        [Line::Invoked(invoked), Line::Completed(completed)]
    }

    fn written(name: &str, lines: &[Line]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("meridian-{name}-{}", std::process::id()));
        let mut writer = HistoryWriter::create(&path, &header()).expect("created");
        for line in lines {
            writer.line(line).expect("written");
        }
        writer.finish().expect("finished");
        path
    }

    #[test]
    fn history_is_read_as_it_was_written() {
        let path = written("whole", &lines());
        let run = HistoryReader::read(&path).expect("readable");
        assert_eq!(run.header, header());
        let [Line::Invoked(invoked), Line::Completed(completed)] = lines() else {
            unreachable!("two lines");
        };
        assert_eq!(run.operations.len(), 1);
        assert_eq!(run.operations[0].invoked, invoked);
        assert_eq!(run.operations[0].completed, Some(completed));
        assert!(!run.is_torn);
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn history_that_was_torn_is_read_as_far_as_it_goes() {
        let path = written("torn", &lines());
        let bytes = std::fs::read(&path).expect("readable");
        // Without the trailer, and a part of the last block.
        let mut file = std::fs::File::create(&path).expect("created");
        file.write_all(&bytes[..bytes.len() - 12]).expect("written");
        drop(file);
        let run = HistoryReader::read(&path).expect("readable");
        assert!(run.is_torn);
        assert_eq!(run.header, header());
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn line_that_does_not_belong_is_named_by_its_number() {
        let [invoked, completed] = lines();
        let path = written("twice", &[invoked, completed.clone(), completed]);
        let error = HistoryReader::read(&path).expect_err("refused");
        assert!(error.to_string().contains("line 4: call 1"), "{error}");
        std::fs::remove_file(path).expect("removed");
    }
}
