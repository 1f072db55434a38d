//! The node, where everything meets: configuration, supervisor, use cases, REST,
//! and the command line.
//!
//! It decides nothing about documents, ledgers or placement: those crates do. It
//! connects them, and it keeps the promises towards clients: what is acknowledged
//! is durable, what timed out is unknown, and overload is answered at once.

mod admin;
mod admission;
mod api;
mod audit;
mod auth;
mod backup;
mod booking;
mod caller_limits;
mod certificates;
mod cli;
mod clock;
mod cluster_map;
mod commands;
mod config;
mod connections;
mod console;
mod data_folder;
mod demo;
mod durable_file;
mod events;
mod formats;
mod forwarded;
mod geoip;
mod grpc;
mod import;
mod lifesigns;
mod log_filter;
mod log_tail;
mod mesh_service;
mod metrics;
mod moves;
mod node;
mod outbound;
mod payments;
mod ports;
mod registers;
mod relay;
mod request_id;
mod search;
mod settling;
#[cfg(test)]
mod solo;
mod supervisor;
mod telemetry;
mod traces;
mod upgrade;
mod verdict;

use std::process::ExitCode;

pub use cli::Cli;
pub use config::{
    AuthSection, BackupSection, BookingsSection, ChaosSection, ClientTlsSection, ClusterSection,
    Config, ConfigError, Dial, EventsSection, Finalize, GeoIpSection, Layers, LimitsSection,
    ListenSection, ListingsSection, LogFormat, LogSection, NatsSection, NodeSection,
    PaymentsProvider, PaymentsSection, SearchSection, StorageSection, TlsSection, TracingSection,
    UpgradeSection,
};

/// Does what the command line says and answers the process' exit status.
///
/// 0: done; 1: it could not be done, the reason is on standard error; 2: the
/// command line is wrong; 3: a promise was broken, 130: somebody interrupted it
/// before it was known (`demo --smoke`); 4 and 5: `status`, or
/// `upgrade check`, found something wrong.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    commands::run(cli.command)
}
