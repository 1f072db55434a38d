//! Chromium without a window, led by the DevTools protocol over two pipes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Names under which Chromium is installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Nothing but the page: no first run, no updates, no accounts, no way out but to this machine.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*",
];
/// How long the browser may take for one answer on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// What ends a message.
const END: u8 = 0;

/// A running browser. It ends with this.
pub(crate) struct Browser {
    process: Child,
    pipe: Mutex<Pipe>,
    _profile: TempDir,
}

struct Pipe {
    to: File,
    from: Receiver<Value>,
    asked: u64,
    /// What the browser has told by itself.
    told: VecDeque<Value>,
    /// What a tab's user says when asked who it is, and what it was asked with.
    users: BTreeMap<String, (Option<Credentials>, Vec<Value>)>,
}

/// A name and a password.
pub(crate) type Credentials = (String, String);

/// A tab.
pub(crate) struct Page<'a> {
    browser: &'a Browser,
    session: String,
}

impl Browser {
    /// Starts the browser; `None`, said loudly, where none is installed.
    #[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
    pub(crate) fn start() -> Option<Self> {
        let starts = |name: &&str| {
            let version = Command::new(name).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        };
        let Some(name) = BROWSERS.into_iter().find(starts) else {
            eprintln!("SKIPPED: Chromium is not installed (apt-get install chromium)");
            return None;
        };
        let profile = TempDir::new().expect("a folder");
        let (to, from) = (profile.path().join("to"), profile.path().join("from"));
        let made = Command::new("mkfifo").args([&to, &from]).status();
        assert!(made.expect("coreutils").success());
        // Descriptors 3 and 4 are the browser's ends of the two pipes.
        let process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\"", name])
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("TO", &to)
            .env("FROM", &from)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        // In the order in which the shell opens its ends: each waits for the other.
        let to = OpenOptions::new().write(true).open(&to).expect("open");
        let pipe = Mutex::new(Pipe {
            to,
            from: listen(&from),
            asked: 0,
            told: VecDeque::new(),
            users: BTreeMap::new(),
        });
        Some(Self {
            process,
            pipe,
            _profile: profile,
        })
    }

    /// A new tab of a size, which prefers a theme and shows an address.
    pub(crate) fn open(&self, url: &str, size: (u32, u32), theme: &str) -> Page<'_> {
        let page = self.tab(json!({"url": "about:blank"}), size, theme);
        page.ask("Page.navigate", json!({"url": url}));
        page
    }

    /// The same, in a window that knows nothing of the others. Its user says this, once, when it
    /// is asked who it is; nobody says nothing.
    pub(crate) fn open_as(
        &self,
        user: Option<Credentials>,
        url: &str,
        (size, theme): ((u32, u32), &str),
    ) -> Page<'_> {
        let window = self.ask(None, "Target.createBrowserContext", json!({}));
        let window = &window["browserContextId"];
        let target = json!({"url": "about:blank", "browserContextId": window});
        let page = self.tab(target, size, theme);
        self.pipe()
            .users
            .insert(page.session.clone(), (user, Vec::new()));
        let every = json!({"handleAuthRequests": true, "patterns": [{"urlPattern": "*"}]});
        page.ask("Fetch.enable", every);
        page.ask("Page.navigate", json!({"url": url}));
        page
    }

    fn tab(&self, target: Value, (width, height): (u32, u32), theme: &str) -> Page<'_> {
        let target = self.ask(None, "Target.createTarget", target);
        let id = &target["targetId"];
        let attach = json!({"targetId": id, "flatten": true});
        let attached = self.ask(None, "Target.attachToTarget", attach);
        let session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        let page = Page {
            browser: self,
            session,
        };
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            page.ask(domain, json!({}));
        }
        let is_small = width < 600;
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_small});
        page.ask("Emulation.setDeviceMetricsOverride", size);
        let theme = json!([{"name": "prefers-color-scheme", "value": theme}]);
        page.ask("Emulation.setEmulatedMedia", json!({"features": theme}));
        page
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().expect("nobody panics with it")
    }

    fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let mut pipe = self.pipe();
        let id = pipe.send(session, method, parameters);
        loop {
            let heard = pipe.from.recv_timeout(PATIENCE);
            let heard = heard.unwrap_or_else(|_| panic!("the browser answers {method}"));
            if heard["id"] == id {
                assert!(heard["error"].is_null(), "{method}: {heard}");
                return heard["result"].clone();
            }
            pipe.hear(heard);
        }
    }

    /// What went wrong in any tab: exceptions, refused loads, breaches of the page's policy.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let pipe = self.pipe();
        let is_trouble = |told: &&Value| match told["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => told["params"]["entry"]["level"] == "error",
            _ => false,
        };
        let troubles = pipe.told.iter().filter(is_trouble);
        troubles.map(|told| told["params"].to_string()).collect()
    }
}

impl Pipe {
    /// Asks something; what comes back has this number.
    fn send(&mut self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(END);
        self.to.write_all(&bytes).expect("the browser listens");
        self.asked
    }

    /// Answers for a tab's user, and keeps the rest.
    fn hear(&mut self, heard: Value) {
        let session = heard["sessionId"].as_str().unwrap_or_default().to_owned();
        let request = &heard["params"]["requestId"];
        match heard["method"].as_str() {
            Some("Fetch.requestPaused") => {
                self.send(
                    Some(&session),
                    "Fetch.continueRequest",
                    json!({"requestId": request}),
                );
            }
            Some("Fetch.authRequired") => {
                let (user, asked) = self.users.get_mut(&session).expect("a tab with a user");
                asked.push(heard["params"]["authChallenge"].clone());
                // Said once: a browser that asks again has not been believed.
                let said = match user.take() {
                    Some((name, password)) => json!({
                        "response": "ProvideCredentials", "username": name, "password": password,
                    }),
                    None => json!({"response": "CancelAuth"}),
                };
                let answer = json!({"requestId": request, "authChallengeResponse": said});
                self.send(Some(&session), "Fetch.continueWithAuth", answer);
            }
            _ => self.told.push_back(heard),
        }
    }
}

/// Takes what the browser says off its pipe, so that it never waits.
fn listen(from: &Path) -> Receiver<Value> {
    let from = File::open(from).expect("open");
    let (said, heard) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut message = Vec::new();
        while from
            .read_until(END, &mut message)
            .is_ok_and(|bytes| bytes > 0)
        {
            message.pop();
            let parsed = serde_json::from_slice(&message);
            message.clear();
            if parsed
                .map(|parsed| said.send(parsed))
                .is_ok_and(|sent| sent.is_err())
            {
                return;
            }
        }
    });
    heard
}

impl Page<'_> {
    fn ask(&self, method: &str, parameters: Value) -> Value {
        self.browser.ask(Some(&self.session), method, parameters)
    }

    /// How the browser has asked this tab's user who it is, so far.
    pub(crate) fn challenges(&self) -> Vec<Value> {
        let pipe = self.browser.pipe();
        let user = pipe.users.get(&self.session);
        user.map(|(_, asked)| asked.clone()).unwrap_or_default()
    }

    /// What an expression of JavaScript comes to, in the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask("Runtime.evaluate", ask);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].clone()
    }

    /// Presses and lets go of a key.
    pub(crate) fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            other => panic!("{other} is no key of these tests"),
        };
        let text = if key == "Enter" { "\r" } else { "" };
        let event = |kind: &str| json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
        self.ask("Input.dispatchKeyEvent", event("keyDown"));
        self.ask("Input.dispatchKeyEvent", event("keyUp"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
