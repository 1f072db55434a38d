//! Configuration files, fed with what no operator would write.

use std::path::Path;

use meridian_fuzz::{Allowance, fuzz_within, text};

use super::{Config, Layers};

const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

#[test]
fn config() {
    let reference = toml::to_string(&Config::reference()).expect("it is written");
    let target = text(|input| {
        match Config::from_layers(Path::new("node.toml"), input, &Layers::default()) {
            Ok(config) => {
                let written = toml::to_string(&config).expect("it is written");
                let again =
                    Config::from_layers(Path::new("node.toml"), &written, &Layers::default());
                assert!(again.expect("it was written") == config, "{written}");
                "read".to_owned()
            }
            Err(cause) => cause.to_string().chars().take(60).collect(),
        }
    });
    fuzz_within(FILE, "config", &[reference.into_bytes()], target);
}
