//! Nodes on loopback, with real certificates and real QUIC.

mod beats;
mod calls;
mod cluster;
mod floods;
mod levels;
mod links;
mod racing;
mod raw;
mod renewal;
mod silence;
mod strangers;
