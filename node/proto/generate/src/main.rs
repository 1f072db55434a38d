//! Writes the gRPC contract in Rust, and its descriptors, from `node/proto`: by a compiler in
//! Rust, so that no `protoc` has to be installed.

use std::error::Error;
use std::path::Path;

use prost::Message;

const PROTO: &str = "meridian/v1/meridian.proto";
/// Fields that are JSON of any shape in REST, and its text here.
const JSON: [&str; 4] = [
    "ConflictingValue.value",
    "RequestOutcome.answer",
    "RequestOutcome.problem",
    "Event.data",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "two folders: that of the contract, and that of what is written";
    let (protos, out) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let out = Path::new(&out);
    let files = protox::compile([Path::new(&protos).join(PROTO)], [&protos])?;
    std::fs::write(out.join("descriptors.bin"), files.encode_to_vec())?;
    let mut build = tonic_prost_build::configure()
        .out_dir(out)
        .build_transport(false)
        .btree_map(".")
        .type_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .message_attribute(".", "#[serde(default)]");
    for field in JSON {
        let path = format!(".meridian.v1.{field}");
        let with = "#[serde(deserialize_with = \"crate::grpc::json_text\")]";
        build = build.field_attribute(path, with);
    }
    build.compile_fds(files)?;
    // What it was written from, for the test that asks whether it still is.
    std::fs::copy(Path::new(&protos).join(PROTO), out.join("meridian.proto"))?;
    Ok(())
}
