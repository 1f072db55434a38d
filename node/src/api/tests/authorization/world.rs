//! A node that asks for credentials, and people who have some.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meridian_chaos::until;
use meridian_regions::ListingId;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::super::caller::{Caller, booking, night};
use crate::auth::{Role, new_key, written};
use crate::config::{AuthSection, Config};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// Everybody who has a key: name and roles.
const PEOPLE: [(&str, &[Role]); 6] = [
    ("ann", &[Role::Guest]),
    ("ben", &[Role::Guest]),
    ("hal", &[Role::Host]),
    ("hope", &[Role::Host]),
    ("olga", &[Role::Operator]),
    ("ruth", &[]),
];

/// See the module.
pub(super) struct World {
    pub(super) caller: Caller,
    admin: String,
    keys: Vec<(&'static str, String)>,
    /// The file of keys, and what stands there for each.
    file: PathBuf,
    records: Vec<(&'static str, String)>,
}

/// What requests are about: hal's listing, and what ann has there.
pub(super) struct Things {
    pub(super) listing: ListingId,
    pub(super) hold: String,
    pub(super) booking: String,
    pub(super) block: String,
}

impl World {
    pub(super) async fn start(more: impl FnOnce(&mut Config, &mut AuthSection)) -> Self {
        let (mut keys, mut records, mut file) = (Vec::new(), Vec::new(), PathBuf::new());
        let caller = Caller::start_with(|config| {
            for (name, roles) in PEOPLE {
                let (key, record) = new_key(name, roles, None).expect("a name");
                keys.push((name, key));
                records.push((name, written(record)));
            }
            file = config.node.data_dir.with_file_name("keys.toml");
            write(&file, records.iter().map(|(_, record)| record.clone()));
            let mut auth = AuthSection {
                api_keys_file: file.clone(),
                ..AuthSection::default()
            };
            more(config, &mut auth);
            config.auth = Some(auth);
        })
        .await;
        let routes = crate::admin::router(Arc::clone(&caller.solo.node));
        let admin = caller.solo.serve(routes).await;
        let world = Self {
            caller,
            admin,
            keys,
            file,
            records,
        };
        until(PATIENCE, "searches are answered", async || {
            let search = ("/v1/listings?limit=1".to_owned(), None);
            let (status, _) = world.told("olga", Method::GET, search).await;
            (status == 200).then_some(())
        })
        .await
        .expect("in time");
        world
    }

    /// A request to whichever port has the path, by somebody or by nobody.
    pub(super) fn asking(&self, who: Option<&str>, method: Method, path: &str) -> RequestBuilder {
        let is_clients = ["/v1/", "/openapi.json", "/docs"]
            .iter()
            .any(|first| path.starts_with(first));
        let request = match is_clients {
            true => self.caller.asking(method, path),
            false => self.caller.asking_at(&self.admin, method, path),
        };
        let fresh = format!("{:032x}", rand::random::<u128>());
        let request = request.header("Idempotency-Key", fresh);
        let request = request.header("If-Match", "*");
        match who {
            Some(name) => request.header("Authorization", format!("ApiKey {}", self.key(name))),
            None => request,
        }
    }

    pub(super) fn key(&self, name: &str) -> &str {
        let key = self.keys.iter().find(|(known, _)| *known == name);
        &key.expect("one of the people").1
    }

    /// Takes somebody's key out of the file, and makes a guest of somebody else.
    pub(super) fn withdraw(&self, name: &str, lowered: &str) {
        let kept = self.records.iter().filter(|(known, _)| *known != name);
        let records = kept.map(|(known, record)| {
            let is_lowered = *known == lowered;
            let role = if is_lowered { "guest" } else { "operator" };
            record.replace("operator", role)
        });
        write(&self.file, records);
    }

    /// Sends it.
    pub(super) async fn ask(
        &self,
        who: Option<&str>,
        method: Method,
        (path, body): (String, Option<Value>),
    ) -> Response {
        let request = self.asking(who, method, &path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    /// The same, of which the body is wanted.
    pub(super) async fn told(
        &self,
        who: &str,
        method: Method,
        asked: (String, Option<Value>),
    ) -> (u16, Value) {
        let answer = self.ask(Some(who), method, asked).await;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A listing of hal's, where nobody has anything.
    pub(super) async fn bare(&self) -> Things {
        let listing = self.caller.listing(json!({"host_id": "hal"})).await;
        Things {
            listing,
            hold: String::new(),
            booking: String::new(),
            block: String::new(),
        }
    }

    /// A listing of hal's, with a block of his, a hold and a booking of ann's.
    pub(super) async fn full(&self) -> Things {
        let bare = self.bare().await;
        let path = format!("/v1/listings/{}", bare.listing);
        let hold = (format!("{path}/holds"), Some(night(10)));
        let (status, held) = self.told("ann", Method::POST, hold).await;
        assert_eq!(status, 201, "{held}");
        let book = ("/v1/bookings".to_owned(), Some(booking(&bare.listing, 20)));
        let (status, booked) = self.told("ann", Method::POST, book).await;
        assert_eq!(status, 201, "{booked}");
        let dates = night(30);
        let closed = json!({"from": dates["check_in"], "until": dates["check_out"]});
        let block = (format!("{path}/blocks"), Some(closed));
        let (status, blocked) = self.told("hal", Method::POST, block).await;
        assert_eq!(status, 201, "{blocked}");
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        Things {
            hold: text(&held["hold_id"]),
            booking: text(&booked["booking_id"]),
            block: text(&blocked["block_id"]),
            ..bare
        }
    }

    pub(super) async fn stop(self) {
        self.caller.stop().await;
    }
}

/// Writes a file of keys, whole or not at all.
fn write(file: &Path, records: impl Iterator<Item = String>) {
    let fresh = file.with_extension("fresh");
    std::fs::write(&fresh, records.collect::<String>()).expect("a writable folder");
    std::fs::rename(&fresh, file).expect("a writable folder");
}
