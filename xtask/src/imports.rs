//! Dependencies run one way, as the design draws them.

use crate::workspace::{Package, Workspace};

/// What each crate may depend on of the workspace. A crate that is not here fails:
/// whoever adds one decides its place.
const ALLOWED: &[(&str, &[&str])] = &[
    ("meridian-regions", &[]),
    // Whoever does a step of a followed request says so.
    ("meridian-trace", &[]),
    ("meridian-storage", &["meridian-trace"]),
    ("meridian-failpoints", &[]),
    ("meridian-replication-core", &["meridian-regions"]),
    ("meridian-consensus-core", &[]),
    ("meridian-transport", &["meridian-regions"]),
    (
        "meridian-replication",
        &[
            "meridian-failpoints",
            "meridian-regions",
            "meridian-replication-core",
            "meridian-storage",
            "meridian-trace",
            "meridian-transport",
        ],
    ),
    (
        "meridian-consensus",
        &[
            "meridian-consensus-core",
            "meridian-failpoints",
            "meridian-regions",
            "meridian-storage",
            "meridian-trace",
        ],
    ),
    (
        "meridian-search",
        &["meridian-regions", "meridian-replication-core"],
    ),
    ("meridian-client", &[]),
    // Replays logs by the ledger's own code, which is pure (ADR 44).
    (
        "meridian-chaos",
        &["meridian-client", "meridian-consensus-core"],
    ),
    (
        "meridian-node",
        &[
            "meridian-chaos",
            "meridian-client",
            "meridian-consensus",
            "meridian-consensus-core",
            "meridian-failpoints",
            "meridian-regions",
            "meridian-replication",
            "meridian-replication-core",
            "meridian-search",
            "meridian-storage",
            "meridian-trace",
            "meridian-transport",
        ],
    ),
    // Founds a million groups without a network, and compares a million documents of replicas
    // that stand alone; everything else it asks of real nodes.
    (
        "meridian-bench",
        &[
            "meridian-chaos",
            "meridian-client",
            "meridian-consensus",
            "meridian-consensus-core",
            "meridian-regions",
            "meridian-replication",
            "meridian-replication-core",
            "meridian-storage",
            "meridian-transport",
        ],
    ),
    // For tests alone: nobody's product code may have its allocator.
    ("meridian-fuzz", &[]),
    ("meridian-simulation", &[]),
    ("xtask", &[]),
];

/// Libraries that only one crate may know.
const OWNED: &[(&str, &[&str])] = &[
    ("rocksdb", &["meridian-storage"]),
    ("quinn", &["meridian-transport"]),
    // Between nodes, and to them: what both sides of clients' TLS are made of.
    ("rustls", &["meridian-transport", "meridian-client"]),
    ("rcgen", &["meridian-transport"]),
    ("automerge", &["meridian-replication-core"]),
    ("openraft", &["meridian-consensus"]),
    ("opentelemetry", &["meridian-trace"]),
    ("opentelemetry_sdk", &["meridian-trace"]),
    // Whatever asks a node goes through the client, but for what measures another system.
    ("reqwest", &["meridian-bench"]),
    // The node asks payment providers, and the client nodes, by HTTPS.
    ("hyper-rustls", &["meridian-node", "meridian-client"]),
    // What measures tracing is a collector, too.
    ("axum", &["meridian-node", "meridian-bench"]),
    ("maxminddb", &["meridian-node"]),
    ("tantivy", &["meridian-search"]),
    ("h3o", &["meridian-search"]),
    ("tokio-postgres", &["meridian-bench"]),
    ("redis", &["meridian-bench"]),
];

/// Crates that take time and randomness as arguments and never await.
const PURE: &[&str] = &[
    "meridian-regions",
    "meridian-replication-core",
    "meridian-consensus-core",
];

/// Libraries that a pure crate has no use for.
const IMPURE: &[&str] = &["tokio", "rand", "futures", "tracing", "rocksdb"];

/// Words that a pure crate's product code does not contain.
const IMPURE_WORDS: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "async fn",
    "std::fs",
    "std::net",
];

/// Every edge and word that should not be there.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let depends: Vec<&str> = package.dependencies().into_iter().collect();
        findings.extend(edges(&package.name, &depends));
        if PURE.contains(&package.name.as_str()) {
            findings.extend(impurities(package)?);
        }
    }
    Ok(findings)
}

fn edges(package: &str, depends: &[&str]) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package) else {
        return vec![format!(
            "{package}: say in xtask/src/imports.rs what it may import"
        )];
    };
    let mut findings = Vec::new();
    for dependency in depends {
        let is_ours = ALLOWED.iter().any(|(name, _)| name == dependency);
        if is_ours && !allowed.contains(dependency) {
            findings.push(format!("{package} must not depend on {dependency}"));
        }
        let owners = OWNED.iter().find(|(library, _)| library == dependency);
        if let Some((library, owners)) = owners
            && !owners.contains(&package)
        {
            findings.push(format!(
                "{package} depends on {library}: only {} may",
                owners.join(", ")
            ));
        }
        if PURE.contains(&package) && IMPURE.contains(dependency) {
            findings.push(format!(
                "{package} is pure and must not depend on {dependency}"
            ));
        }
    }
    findings
}

fn impurities(package: &Package) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in package.sources()? {
        let source = std::fs::read_to_string(&path)?;
        // Tests stand last and may measure.
        let product = source
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or("");
        let is_test = path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        for word in IMPURE_WORDS.iter().filter(|_| !is_test) {
            if product.contains(word) {
                findings.push(format!("{}: `{word}` in a pure crate", path.display()));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::edges;

    #[test]
    fn forbidden_edges_are_found() {
        let planes = edges("meridian-replication", &["meridian-consensus", "lru"]);
        assert_eq!(
            planes,
            ["meridian-replication must not depend on meridian-consensus"]
        );
        let owned = edges("meridian-node", &["quinn"]);
        assert_eq!(owned.len(), 1);
        let impure = edges("meridian-regions", &["tokio"]);
        assert_eq!(impure.len(), 1);
        let stranger = edges("meridian-new", &[]);
        assert_eq!(stranger.len(), 1);
    }

    #[test]
    fn allowed_edges_are_not() {
        let allowed = edges(
            "meridian-consensus",
            &["meridian-storage", "openraft", "tokio"],
        );
        assert!(allowed.is_empty(), "{allowed:?}");
    }
}
