//! `meridian regions`: where the cluster stands, nearest first.

use std::io::Write;

use serde_json::Value;

use crate::cli::RegionsArgs;

pub(crate) async fn run(arguments: RegionsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let place = arguments.lat.zip(arguments.lon);
    let answer = arguments.to.client()?.nearest(place).await?.body;
    if arguments.json {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let basis = match answer["basis"].as_str() {
        Some("coordinates") => "distance from the given place",
        Some("geoip") => "distance from where your address is",
        _ => "round trip from the node that was asked",
    };
    writeln!(out, "nearest first, by {basis}\n")?;
    writeln!(
        out,
        "{:<16} {:<12} {:>9} {:>9} {:>6}  endpoints",
        "region", "health", "distance", "rtt", "phi"
    )?;
    for region in answer["data"].as_array().into_iter().flatten() {
        let endpoints = region["endpoints"].as_array().into_iter().flatten();
        let endpoints: Vec<&str> = endpoints.filter_map(Value::as_str).collect();
        writeln!(
            out,
            "{:<16} {:<12} {:>9} {:>9} {:>6}  {}",
            region["id"].as_str().unwrap_or("?"),
            region["health"].as_str().unwrap_or("?"),
            number(&region["distance_km"], 0, " km"),
            number(&region["rtt_ms"], 1, " ms"),
            number(&region["phi"], 1, ""),
            endpoints.join(" ")
        )?;
    }
    Ok(())
}

fn number(value: &Value, digits: usize, unit: &str) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}{unit}"))
}
