//! Certificates of nodes, changed while a cluster runs: they count from a node's next start.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use super::{ClusterError, LocalCluster, files, io, node};

impl LocalCluster {
    /// Folder of the authority that signs certificates now.
    pub(crate) fn authority(&self) -> PathBuf {
        let signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        signer.clone()
    }

    /// Has another authority sign from now on.
    pub(crate) fn sign_by(&self, authority: PathBuf) {
        *self.signer.lock().unwrap_or_else(PoisonError::into_inner) = authority;
    }

    /// Makes another authority for the same cluster; answers its folder. Nobody trusts it yet.
    pub(crate) async fn make_authority(&self) -> Result<PathBuf, ClusterError> {
        let folder = self.options.folder.join("authority-new");
        files::make_authority(&self.options.binary, &folder).await?;
        Ok(folder)
    }

    /// Gives a node a new certificate and key, valid for the usual time or for less.
    pub(crate) async fn issue_certificate(
        &self,
        id: u64,
        valid: Option<Duration>,
    ) -> Result<(), ClusterError> {
        let of = self.node(id)?;
        let fresh = of.folder.join("fresh");
        let doing = format!("giving node {id} a new certificate");
        // What an earlier attempt has left.
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(|cause| io(&doing, cause))?;
        }
        let (number, folder) = (id.to_string(), fresh.to_string_lossy());
        let authority = self.authority();
        let authority = authority.to_string_lossy();
        let valid = valid.map(|valid| format!("{}s", valid.as_secs()));
        let mut made = vec![
            "cert", "node", "--ca", &authority, "--region", of.region, "--node", &number, "--out",
            &folder,
        ];
        if let Some(valid) = &valid {
            made.extend(["--valid-for", valid]);
        }
        node::run(&self.options.binary, &made).await?;
        for ending in ["key", "pem"] {
            let name = format!("node-{id}.{ending}");
            std::fs::rename(fresh.join(&name), of.folder.join(&name))
                .map_err(|cause| io(&doing, cause))?;
        }
        Ok(())
    }

    /// A node's certificate.
    pub(crate) fn certificate(&self, id: u64) -> Result<String, ClusterError> {
        let path = self.node(id)?.folder.join(format!("node-{id}.pem"));
        let doing = format!("reading the certificate of node {id}");
        std::fs::read_to_string(path).map_err(|cause| io(&doing, cause))
    }

    /// Has a node trust these authorities, and no others.
    pub(crate) fn trust(&self, id: u64, authorities: &[&Path]) -> Result<(), ClusterError> {
        let doing = format!("writing whom node {id} trusts");
        let mut bundle = String::new();
        for authority in authorities {
            let one = std::fs::read_to_string(authority.join(files::AUTHORITY));
            bundle += &one.map_err(|cause| io(&doing, cause))?;
        }
        let path = self.node(id)?.folder.join(files::AUTHORITY);
        std::fs::write(path, bundle).map_err(|cause| io(&doing, cause))
    }
}
