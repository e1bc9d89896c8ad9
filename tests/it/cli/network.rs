//! The network between a host and AWS: private certificate authorities, proxies, and connections that are made ahead.

use crate::support::{
    backends,
    link::{Certificate, Forward, Link, Manner, Shape},
    proxy::{Fate, Proxy},
    sandbox::Sandbox,
    servers,
};
use std::fs;
use tokio::runtime::Runtime;

/// Real servers behind links, with a package `app` that is `live`.
struct Behind {
    sandbox: Sandbox,
    ledger: Link,
    store: Link,
    runtime: Runtime,
}

impl Behind {
    fn new(certificate: Option<&Certificate>) -> Self {
        let runtime = Runtime::new().unwrap();
        let sandbox = servers::sandbox();
        sandbox.write("f", "first");
        sandbox.ok(&["init", "-q"]);
        sandbox.ok(&["add", "app", "f", "--tag", "live"]);
        let [ledger, store] = [backends::dynamodb(), backends::s3()].map(|server| {
            runtime.block_on(async {
                match certificate {
                    Some(certificate) => Link::start_tls(&server, Shape::default(), certificate).await,
                    None => Link::start(&server, Shape::default()).await,
                }
            })
        });
        let behind = Self { sandbox, ledger, store, runtime };
        let [ledger, store] = [behind.ledger.url(), behind.store.url()];
        behind.at(&ledger, &store)
    }

    /// With other addresses of the links.
    fn at(mut self, ledger: &str, store: &str) -> Self {
        for (name, address) in [("SACKER_LEDGER", ledger), ("SACKER_STORE", store)] {
            let url = self.sandbox.variable(name).split("endpoint=").next().unwrap().to_owned();
            self.sandbox = self.sandbox.set(name, format!("{url}endpoint={address}"));
        }
        self
    }

    /// Under names that only a proxy knows.
    fn named(self) -> Self {
        let [ledger, store] = [&self.ledger, &self.store].map(Link::url);
        let named = |url: &str, name: &str| url.replace("127.0.0.1", name);
        let (ledger, store) = (named(&ledger, "ledger.test"), named(&store, "store.test"));
        self.at(&ledger, &store)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.sandbox = self.sandbox.set(name, value);
        self
    }

    fn forward(&self, manner: Manner) -> Forward {
        self.runtime.block_on(Forward::start(manner))
    }

    fn connections(&self) -> [u64; 2] {
        [&self.ledger, &self.store].map(|link| link.counts().connections)
    }

    #[track_caller]
    fn works(&self) {
        self.sandbox.write("g", "second");
        assert_eq!(self.sandbox.ok(&["add", "app", "g"]), "2\n");
        assert_eq!(self.sandbox.ok(&["download", "app", "live", "-o", "-"]), "first");
    }

    /// Runs `info`, which must fail with this exit code and message.
    #[track_caller]
    fn fails(&self, exit: u8, says: &[&str]) {
        let shown = self.sandbox.run(&["info", "app", "live", "--deadline", "2s"]);
        assert!(shown.starts_with(&format!("exit {exit}\n")), "{shown}");
        for text in says {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn an_authority_of_ones_own_is_named_by_a_bundle() {
    let certificate = Certificate::new();
    let behind = Behind::new(Some(&certificate));
    behind.sandbox.write("own.pem", certificate.pem());
    behind.sandbox.write("other.pem", Certificate::new().pem());
    let home = behind.sandbox.home().to_owned();
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let (own, other) = (path("own.pem"), path("other.pem"));
    let untrusted =
        ["invalid peer certificate", "hint: the server's certificate is not signed", "AWS_CA_BUNDLE"];
    behind.fails(2, &untrusted);
    // It is looked at before the system's, which would have it.
    let behind = behind.set("SSL_CERT_FILE", &own).set("AWS_CA_BUNDLE", &other);
    behind.fails(2, &untrusted);
    let behind = behind.set("SSL_CERT_FILE", &other).set("AWS_CA_BUNDLE", &own);
    behind.works();
    // Several in one file, and by way of the profile.
    let both = format!("# ours\n{}\n{}", fs::read_to_string(&other).unwrap(), certificate.pem());
    behind.sandbox.write("both.pem", both);
    behind.sandbox.write("config", format!("[default]\nca_bundle = {}\n", path("both.pem")));
    let config = behind.sandbox.path("config").to_str().unwrap().to_owned();
    let mut command = behind.sandbox.command(&["info", "app", "live"]);
    let output = command.env_remove("AWS_CA_BUNDLE").env("AWS_CONFIG_FILE", config).output().unwrap();
    assert!(output.status.success(), "{}", behind.sandbox.shown(&output));
}

#[test]
fn a_bundle_that_is_none_is_refused_at_once() {
    for certificate in [None, Some(&Certificate::new())] {
        let mut behind = Behind::new(certificate);
        let before = behind.connections();
        behind.sandbox.write("empty.pem", "");
        behind.sandbox.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
        behind.sandbox.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
        let none = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        behind.sandbox.write("none.pem", none);
        for name in ["missing.pem", "empty.pem", "broken.pem", "cut.pem", "none.pem"] {
            let path = behind.sandbox.path(name).to_str().unwrap().to_owned();
            behind = behind.set("AWS_CA_BUNDLE", &path);
            behind.fails(2, &["AWS_CA_BUNDLE", name, "hint: name a file of PEM certificates"]);
        }
        assert_eq!(behind.connections(), before, "it was refused before anything was asked");
    }
}

#[test]
fn proxies_are_asked_for_either_scheme() {
    let certificate = Certificate::new();
    for (certificate, variable) in [(None, "HTTP_PROXY"), (Some(&certificate), "https_proxy")] {
        let behind = Behind::new(certificate).named();
        behind.sandbox.write("own.pem", Certificate::pem(certificate.unwrap_or(&Certificate::new())));
        let trusted = behind.sandbox.path("own.pem").to_str().unwrap().to_owned();
        let behind = behind.set("AWS_CA_BUNDLE", &trusted);
        let open = behind.forward(Manner::Open);
        let behind = behind.set(variable, &open.url);
        behind.sandbox.ok(&["info", "app", "live"]);
        assert!(!open.asked().is_empty());
        let proxy = behind.forward(Manner::WithPassword);
        let behind = behind.set(variable, &proxy.url);
        let address = &proxy.url;
        behind
            .fails(2, &[address, "proxy authorization required", "hint: set the proxy's user and password"]);
        let with_password = address.replace("http://", "http://user:secret@");
        let behind = behind.set(variable, &with_password);
        behind.works();
        let method = if certificate.is_some() { "CONNECT" } else { "GET" };
        for (host, link) in [("ledger.test", &behind.ledger), ("store.test", &behind.store)] {
            let port = link.address.port();
            let asked = proxy.asked();
            // Of a ledger all is asked by POST.
            let method = if host == "ledger.test" && certificate.is_none() { "POST" } else { method };
            assert!(asked.contains(&format!("{method} {host}:{port}")), "{asked:?}");
        }
        // Nobody else knows the name.
        behind.set("NO_PROXY", "ledger.test").fails(7, &[]);
    }
}

#[test]
fn this_host_is_asked_without_a_proxy() {
    for certificate in [None, Some(&Certificate::new())] {
        let behind = Behind::new(certificate);
        behind.sandbox.write("own.pem", Certificate::pem(certificate.unwrap_or(&Certificate::new())));
        let trusted = behind.sandbox.path("own.pem").to_str().unwrap().to_owned();
        let proxy = behind.forward(Manner::Broken);
        behind.set("AWS_CA_BUNDLE", &trusted).set("ALL_PROXY", &proxy.url).works();
        assert_eq!(proxy.asked(), [""; 0]);
    }
}

#[test]
fn a_proxy_that_fails_is_named_within_the_deadline() {
    for (certificate, variable) in [(None, "HTTP_PROXY"), (Some(&Certificate::new()), "HTTPS_PROXY")] {
        let mut behind = Behind::new(certificate).named();
        let before = behind.connections();
        for manner in [Manner::Broken, Manner::Silent] {
            let proxy = behind.forward(manner);
            behind = behind.set(variable, &proxy.url.replace("http://", "http://user:secret@"));
            // A proxy's own 503 over plain HTTP is an answer like one of the server.
            let named = if manner == Manner::Broken && certificate.is_none() { "503" } else { &proxy.url };
            behind.fails(7, &[named, "hint: "]);
            assert!(!proxy.asked().is_empty());
        }
        behind = behind.set(variable, "http://127.0.0.1:1");
        behind
            .fails(7, &["through the proxy http://127.0.0.1:1: Connection refused", "hint: check the proxy"]);
        behind = behind.set(variable, "socks5://user:secret@127.0.0.1:1080");
        behind.fails(
            2,
            &["through the proxy socks5://127.0.0.1:1080: it does not speak HTTP", "hint: set HTTPS_PROXY"],
        );
        assert_eq!(behind.connections(), before, "nothing went past the proxy");
    }
}

#[test]
fn the_store_is_connected_to_only_where_it_will_be_asked() {
    let behind = Behind::new(None);
    let connected = |arguments: &[&str]| {
        let [_, before] = behind.connections();
        behind.sandbox.run(arguments);
        behind.connections()[1] > before
    };
    for arguments in
        [&["info", "app", "live"][..], &["tag", "app", "1", "canary"], &["versions", "app"], &["list", "-l"]]
    {
        assert!(!connected(arguments), "{arguments:?}");
    }
    assert!(connected(&["download", "app", "live", "-o", "got"]));
    assert_eq!(behind.sandbox.read("got"), "first");
    // On a host that looks again and again if the tag has moved.
    assert!(!connected(&["download", "app", "live", "-o", "got", "-f"]));
    assert!(connected(&["download", "app", "live", "-o", "-"]));
}

/// However soon there is a connection: what is asked ahead is never sent.
#[test]
fn no_request_is_made_for_a_connection_ahead() {
    let sandbox = servers::sandbox();
    sandbox.write("f", "first");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(Proxy::new(&backends::s3(), |_| Fate::Passes));
    let url = sandbox.variable("SACKER_STORE").replace(&backends::s3(), &store.url);
    let sandbox = sandbox.set("SACKER_STORE", url);
    for run in 1..=10 {
        sandbox.ok(&["download", "app", "live~1", "-o", &format!("got-{run}")]);
        assert_eq!(store.log().len(), run, "{:?}", store.log());
    }
}

#[test]
fn a_connection_that_fails_ahead_is_reported_only_if_it_is_needed() {
    let behind = Behind::new(None);
    let ledger = behind.ledger.url();
    let behind = behind.at(&ledger, "http://127.0.0.1:1");
    let shown = behind.sandbox.run(&["download", "app", "7", "-o", "got", "--deadline", "2s"]);
    assert!(shown.starts_with("exit 4\n"), "{shown}");
    assert!(!shown.contains("127.0.0.1:1"), "{shown}");
    let shown = behind.sandbox.run(&["download", "app", "live", "-o", "got", "--deadline", "2s"]);
    assert!(shown.starts_with("exit 7\n") && shown.contains("Connection refused"), "{shown}");
}

#[test]
fn a_proxy_whose_address_cant_be_read_is_a_wrong_setting() {
    let sandbox = Sandbox::new().set("AWS_ACCESS_KEY_ID", "key").set("AWS_SECRET_ACCESS_KEY", "secret");
    let arguments = |endpoint: &str| {
        let ledger = format!("dynamodb://table?region=eu-west-1&endpoint={endpoint}");
        ["list", "--store", "s3://bucket", "--deadline", "1s", "--ledger"]
            .map(str::to_owned)
            .into_iter()
            .chain([ledger])
    };
    let run = |endpoint: &str| {
        let arguments: Vec<_> = arguments(endpoint).collect();
        let mut command = sandbox.command(&arguments);
        sandbox.shown(&command.env("HTTP_PROXY", "http://user:secret@proxy.test:port").output().unwrap())
    };
    insta::assert_snapshot!(run("http://table.test"), @"
    exit 2
    2| error: listing the packages in dynamodb://table?region=eu-west-1&endpoint=http://table.test: reading the table `table`: it can't be used with these settings: through the proxy of HTTP_PROXY: its address can't be read
    2| hint: set HTTPS_PROXY, or HTTP_PROXY for `http://`, to a proxy that speaks HTTP, http://HOST:PORT; or list the host in NO_PROXY
    ");
    // What needs no proxy does without.
    assert!(run("http://127.0.0.1:1").starts_with("exit 7\n"));
}

/// A deletion first reads the tags, for a warning: an outage then must not be waited for twice.
#[test]
fn a_deletion_waits_for_an_outage_once() {
    let behind = Behind::new(None);
    let store = behind.store.url();
    let behind = behind.at("http://127.0.0.1:1", &store);
    let delete = ["delete", "app", "1", "--deadline", "1s", "-v"];
    let shown = behind.sandbox.run(&delete);
    assert!(shown.starts_with("exit 7\n"), "{shown}");
    assert_eq!(shown.matches("attempt 1\n").count(), 1, "{shown}");
    // The outcome of an earlier run stays unknown.
    let key = format!("{}@2", "0".repeat(32));
    let shown = behind.sandbox.run(&[&delete[..], &["--key", &key]].concat());
    assert!(shown.starts_with("exit 9\n") && shown.contains("`--key [ID]@2`"), "{shown}");
}
