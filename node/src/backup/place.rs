//! What the URL of a target names: a folder, or a part of a bucket.
//!
//! Parsed once, at the edge. Nothing is opened here, and no URL leads out of the place that it
//! names: a path that climbs is none.

use std::fmt;
use std::path::{Component, Path as FilePath, PathBuf};

use anyhow::{Context, bail, ensure};
use object_store::path::Path;

/// A folder may be named so.
const FILE_SCHEME: &str = "file://";
const S3_SCHEME: &str = "s3://";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder that is there already.
    Folder(PathBuf),
    /// What stands below a prefix of a bucket; the empty prefix is all of it.
    Bucket { bucket: String, prefix: Path },
}

impl Place {
    /// Reads `file:///var/backups/shop`, the path alone, or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// Anything else, with what can be written.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        if let Some(rest) = url.strip_prefix(S3_SCHEME) {
            return Self::bucket(rest).with_context(|| format!("{url:?} names no bucket"));
        }
        let folder = url.strip_prefix(FILE_SCHEME).unwrap_or(url);
        if folder.contains("://") {
            bail!(
                "{url}: this build keeps backups in folders and in S3 buckets: file:///…, a path, \
                 or s3://bucket/prefix"
            );
        }
        let folder = FilePath::new(folder);
        ensure!(
            folder.is_absolute(),
            "{url}: give the whole path of the folder"
        );
        let climbs = folder.components().any(|part| part == Component::ParentDir);
        ensure!(!climbs, "{url}: a path without `..`");
        Ok(Self::Folder(folder.to_path_buf()))
    }

    fn bucket(rest: &str) -> anyhow::Result<Self> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_bucket = |one: u8| one.is_ascii_alphanumeric() || b".-_".contains(&one);
        ensure!(
            !bucket.is_empty() && bucket.bytes().all(is_of_bucket),
            "s3://bucket/prefix, where the bucket has letters, digits, `.`, `-` and `_`"
        );
        let prefix = Path::parse(prefix.trim_matches('/'))?;
        let climbs = prefix.parts().any(|part| part.as_ref() == "..");
        ensure!(!climbs, "a prefix without `..`");
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix,
        })
    }

    /// Whether another place is this one, or stands below it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(this), Self::Folder(other)) => other.starts_with(this),
            (
                Self::Bucket { bucket, prefix },
                Self::Bucket {
                    bucket: other,
                    prefix: below,
                },
            ) => bucket == other && below.prefix_matches(prefix),
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Bucket { bucket, prefix } => write!(f, "{S3_SCHEME}{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    fn holds(one: &str, other: &str) -> bool {
        let one = Place::parse(one).expect("a place");
        Place::parse(other).is_ok_and(|other| one.holds(&other))
    }

    #[test]
    fn place_holds_what_is_below_it_and_nothing_else() {
        assert!(holds("file:///var/backups", "/var/backups/shop"));
        assert!(holds("/var/backups", "file:///var/backups"));
        assert!(holds("s3://shop-backups", "s3://shop-backups/eu"));
        assert!(holds("s3://shop-backups/eu/", "s3://shop-backups/eu"));
        assert!(holds("s3://shop-backups/eu", "s3://shop-backups/eu/daily"));
        for url in [
            "/var/backups-of-others",
            "/var/backups/../lib",
            "var/backups",
            "/etc",
            "s3://var/backups",
        ] {
            assert!(!holds("/var/backups", url), "{url}");
        }
        for url in [
            "s3://shop-backups/europe",
            "s3://shop-backups/eu/../us",
            "s3://shop-backups",
            "s3://shop-backups-2/eu",
            "/shop-backups/eu",
        ] {
            assert!(!holds("s3://shop-backups/eu", url), "{url}");
        }
    }

    #[test]
    fn what_names_no_place_is_refused_with_what_does() {
        for url in [
            "s3://",
            "s3:///prefix",
            "s3://user:key@bucket",
            "s3://a b/c",
        ] {
            let refused = Place::parse(url).expect_err("no bucket");
            assert!(
                format!("{refused:#}").contains("s3://bucket/prefix"),
                "{url}"
            );
        }
        let other = Place::parse("gs://bucket").expect_err("not spoken");
        assert!(other.to_string().contains("file:///"), "{other}");
    }
}
