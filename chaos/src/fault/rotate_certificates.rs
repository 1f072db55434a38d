//! All nodes get new certificates, of the same authority or of a new one, and restart on them
//! one after the other.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::background::{Background, restart};
use super::error::FaultError;
use super::scene::Scene;
use super::struck::{Effect, Struck, Work};

/// `rotate-certificates`: as an operator does it, without the cluster's being away. It stays
/// so, and is always done to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateCertificates {
    /// Who signs the new ones.
    #[serde(default)]
    pub authority: Signer,
}

/// Who signs new certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// The authority that has signed the old ones.
    #[default]
    Same,
    /// A new one: all nodes trust both, then show the new certificates, then trust the new
    /// authority alone.
    New,
}

impl RotateCertificates {
    pub(super) async fn begin(&self, scene: &Scene) -> Result<Struck, FaultError> {
        let cluster = scene.own()?;
        let nodes = cluster.running();
        if nodes.is_empty() {
            return Err(FaultError::NobodyThere("the cluster".to_owned()));
        }
        let mut before = Vec::new();
        for node in &nodes {
            before.push((*node, cluster.certificate(*node)?));
        }
        let rolled = Roll {
            scene: scene.clone(),
            nodes: nodes.clone().into(),
        };
        let walk = match self.authority {
            Signer::Same => Background::start(async move { rolled.new_certificates().await }),
            Signer::New => Background::start(async move { rolled.new_authority().await }),
        };
        Ok(Struck {
            target: "certificates of all nodes".to_owned(),
            nodes,
            effect: Box::new(Rotated { before, walk }),
        })
    }
}

/// Who gets new ones.
struct Roll {
    scene: Scene,
    nodes: Arc<[u64]>,
}

impl Roll {
    async fn new_certificates(&self) -> Result<(), FaultError> {
        for node in self.nodes.iter() {
            self.scene.own()?.issue_certificate(*node, None).await?;
            restart(&self.scene, *node).await?;
        }
        Ok(())
    }

    async fn new_authority(&self) -> Result<(), FaultError> {
        let cluster = self.scene.own()?;
        let (old, new) = (cluster.authority(), cluster.make_authority().await?);
        self.trust(&[&old, &new]).await?;
        cluster.sign_by(new.clone());
        self.new_certificates().await?;
        self.trust(&[&new]).await
    }

    async fn trust(&self, authorities: &[&std::path::Path]) -> Result<(), FaultError> {
        for node in self.nodes.iter() {
            self.scene.own()?.trust(*node, authorities)?;
            restart(&self.scene, *node).await?;
        }
        Ok(())
    }
}

struct Rotated {
    before: Vec<(u64, String)>,
    walk: Background,
}

impl Effect for Rotated {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async move {
            if !self.walk.is_done() {
                return None;
            }
            let cluster = scene.own().ok()?;
            for (node, before) in &self.before {
                let is_other = cluster.certificate(*node).is_ok_and(|now| now != *before);
                if !is_other || !is_connected(scene, *node).await? {
                    return None;
                }
            }
            let many = self.before.len();
            Some(format!(
                "{many} nodes show other certificates, and are connected to one another"
            ))
        }
        .boxed()
    }

    fn done(&self) -> BoxFuture<'_, Work> {
        self.walk.over().map(|()| Work::Done).boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { self.walk.finish().await }.boxed()
    }
}

async fn is_connected(scene: &Scene, node: u64) -> Option<bool> {
    let status = super::asked(scene.cluster.admin(node).ok()?.status())
        .await
        .ok()?;
    let mut peers = status["peers"].as_array()?.iter();
    Some(peers.all(|peer| peer["connected"] == true))
}
