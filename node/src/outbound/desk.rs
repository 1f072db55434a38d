//! Where handlers ask for endpoints: reads and writes their registers.

use std::sync::Arc;

use meridian_storage::StorageError;

use super::endpoint::{ENDPOINT_KEYS, Endpoint, EndpointId};
use super::keeper::{Counted, Counters};
use super::nats::{StreamState, Watched};
use super::progress::Progress;
use super::webhook::WebhookSender;
use crate::registers::{RegisterError, Registers, Space};

/// Endpoints of a cluster: each is a pump in every region.
pub(crate) const ENDPOINTS_MAX: usize = 100;

/// Handle to where events go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OutboundDesk {
    registers: Registers,
    sender: WebhookSender,
    counters: Arc<Counters>,
    stream: Option<Arc<Watched>>,
}

impl OutboundDesk {
    pub(super) const fn new(
        registers: Registers,
        sender: WebhookSender,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            registers,
            sender,
            counters,
            stream: None,
        }
    }

    pub(super) fn with_stream(self, stream: Option<Arc<Watched>>) -> Self {
        Self { stream, ..self }
    }

    pub(crate) const fn sender(&self) -> &WebhookSender {
        &self.sender
    }

    pub(crate) fn counted(&self) -> Counted {
        self.counters.counted()
    }

    /// The stream of the configuration, if there is one.
    pub(crate) fn stream(&self, now_ms: u64) -> Option<StreamState> {
        self.stream.as_ref().map(|watched| watched.state(now_ms))
    }

    /// Every endpoint, in the order of their ids.
    pub(crate) fn endpoints(&self) -> Result<Vec<(EndpointId, Endpoint)>, StorageError> {
        let known = self.registers.list(Space::Outbound, ENDPOINT_KEYS)?;
        let endpoints = known.into_iter().filter_map(|register| {
            let id = register.key.strip_prefix(ENDPOINT_KEYS)?.parse().ok()?;
            Some((id, Endpoint::decode(register.value.as_deref()?)?))
        });
        Ok(endpoints.collect())
    }

    pub(crate) fn endpoint(&self, id: &EndpointId) -> Result<Option<Endpoint>, StorageError> {
        let known = self.registers.read(Space::Outbound, &id.key())?;
        Ok(known.and_then(|register| Endpoint::decode(register.value.as_deref()?)))
    }

    /// Keeps an endpoint as it is now; answers how many nodes have it.
    pub(crate) async fn keep(
        &self,
        id: &EndpointId,
        endpoint: &Endpoint,
    ) -> Result<usize, RegisterError> {
        let value = Some(endpoint.encode());
        self.registers
            .write(Space::Outbound, &id.key(), value)
            .await
    }

    /// Forgets an endpoint, and how far every region had come with it.
    pub(crate) async fn remove(&self, id: &EndpointId) -> Result<(), RegisterError> {
        self.registers
            .write(Space::Outbound, &id.key(), None)
            .await?;
        let progress = self.registers.list(Space::Outbound, &id.progress_keys())?;
        for register in progress {
            self.registers
                .write(Space::Outbound, &register.key, None)
                .await?;
        }
        Ok(())
    }

    /// How far each region has come, as far as this node knows.
    pub(crate) fn progress(&self, id: &EndpointId) -> Result<Vec<Progress>, StorageError> {
        let known = self.registers.list(Space::Outbound, &id.progress_keys())?;
        let values = known.into_iter().filter_map(|register| register.value);
        Ok(values
            .filter_map(|value| Progress::decode(&value))
            .collect())
    }
}
