//! The proxies of the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.
//!
//! [hyper-util](https://docs.rs/hyper-util/latest/hyper_util/client/proxy/matcher/) interprets them, as curl does.
//! Two kinds of hosts are never reached through a proxy: this machine (`localhost` and loopback addresses), as in
//! [Go](https://pkg.go.dev/net/http#ProxyFromEnvironment), and the services that give a machine its own credentials
//! at [link-local
//! addresses](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html), since
//! a proxy would get its own credentials.

use super::causes::innermost;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_types::os_shim_internal::Env;
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// The status with which a proxy requests a user and password.
const CREDENTIALS_WANTED: u16 = 407;
/// The HTTP client's text for the same answer to a tunnel.
const WANTED_FOR_TUNNEL: &str = "proxy authorization required";
const WITH_CREDENTIALS: &str = "set the proxy's user and password: http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY, or HTTP_PROXY for `http://`";
const ANOTHER_WAY: &str = "check the proxy in HTTPS_PROXY, or HTTP_PROXY for `http://`; list hosts that are reached \
                           without a proxy in NO_PROXY";
const OF_HTTP: &str = "set HTTPS_PROXY, or HTTP_PROXY for `http://`, to a proxy that speaks HTTP, http://HOST:PORT; or \
                       list the host in NO_PROXY";

/// The proxies of the environment.
pub(super) struct Proxies {
    matcher: Matcher,
    /// A matcher with a proxy for each host that must be reached through one.
    proxied: Matcher,
    /// The variable that names the proxy for `http://`, if its value is not a valid address.
    wrong_for_http: Option<&'static str>,
    /// The same for `https://`.
    wrong_for_https: Option<&'static str>,
}

/// The proxy of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// The address without user and password.
    address: String,
    /// True if the connection to the proxy itself uses TLS.
    pub tls: bool,
}

/// A request that failed at a proxy.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy {proxy}: {why}")]
pub(super) struct Unproxied {
    proxy: String,
    why: String,
    /// True if the settings are wrong: the same request fails again.
    pub settings: bool,
    /// The remedy.
    pub remedy: &'static str,
    /// True if no connection was made.
    pub unconnected: bool,
}

impl Proxies {
    /// Reads the environment.
    pub fn new() -> Self {
        let environment = Env::real();
        Self::of_variables(|name| environment.get(name).ok())
    }

    fn of_variables(value: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, value(name)?)));
        let text = |names| first(names).map(|(_, text)| text).unwrap_or_default();
        // A CGI server sets this variable; its client then controls the variables' values.
        if value("REQUEST_METHOD").is_some() {
            let nothing = || Matcher::builder().build();
            let (matcher, proxied) = (nothing(), nothing());
            return Self { matcher, proxied, wrong_for_http: None, wrong_for_https: None };
        }
        let (all, no) = (["ALL_PROXY", "all_proxy"], ["NO_PROXY", "no_proxy"]);
        let (http, https) = (["HTTP_PROXY", "http_proxy"], ["HTTPS_PROXY", "https_proxy"]);
        let filled = |names| first(names).filter(|(_, text)| !text.is_empty());
        let wrong = |own| {
            let (name, text) = filled(own).or_else(|| filled(all))?;
            let read = Matcher::builder().all(text).build();
            let anywhere = "https://host.test/".parse().expect("the address is valid");
            let usable = read.intercept(&anywhere).and_then(|proxy| {
                let uri = proxy.uri();
                let (host, authority) = (uri.host()?, uri.authority()?.as_str());
                // A port is a number.
                let is_right = uri.port_u16().is_some() || authority.trim_end_matches(':') == host;
                Some(is_right && !host.is_empty())
            });
            (usable != Some(true)).then_some(name)
        };
        let matcher = Matcher::builder().all(text(all)).http(text(http)).https(text(https)).no(text(no));
        Self {
            matcher: matcher.build(),
            proxied: Matcher::builder().all("http://proxy.test").no(text(no)).build(),
            wrong_for_http: wrong(http),
            wrong_for_https: wrong(https),
        }
    }

    /// Returns the proxy for a request to this address; `None` if the request goes directly.
    ///
    /// # Errors
    /// [`Unproxied`] if the proxy does not speak HTTP, or its address can't be read.
    pub fn of(&self, address: &str) -> Result<Option<Proxy>, Unproxied> {
        let Ok(address) = address.parse() else { return Ok(None) };
        let proxy = self.matcher.intercept(&address);
        if address.host().is_some_and(is_near) {
            return Ok(None);
        }
        let wrong =
            if address.scheme_str() == Some("http") { self.wrong_for_http } else { self.wrong_for_https };
        if let Some(variable) = wrong
            && self.proxied.intercept(&address).is_some()
        {
            // The variable's value may contain a password.
            return Err(Unproxied {
                proxy: format!("of {variable}"),
                why: "its address can't be read".to_owned(),
                settings: true,
                remedy: OF_HTTP,
                unconnected: true,
            });
        }
        let Some(proxy) = proxy else { return Ok(None) };
        let address = proxy.uri().to_string().trim_end_matches('/').to_owned();
        match proxy.uri().scheme_str() {
            Some(scheme @ ("http" | "https")) => Ok(Some(Proxy { tls: scheme == "https", address })),
            _ => Err(Unproxied {
                proxy: address,
                why: "it does not speak HTTP".to_owned(),
                settings: true,
                remedy: OF_HTTP,
                unconnected: true,
            }),
        }
    }
}

/// Returns true for this machine and for its metadata services.
fn is_near(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        // fd00:ec2::254 and similar addresses.
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.segments()[..2] == [0xfd00, 0xec2],
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

impl Proxy {
    /// Adds this proxy's name to the error of a request that went through it.
    pub fn name(&self, error: &ConnectorError, unconnected: bool) -> ConnectorError {
        let named = self.unproxied(innermost(error), unconnected).into();
        if error.is_timeout() { ConnectorError::timeout(named) } else { ConnectorError::io(named) }
    }

    /// Returns an error if the proxy itself answered that it requires a user and password.
    pub fn refusal(&self, status: u16) -> Option<ConnectorError> {
        let refusal = || ConnectorError::io(self.unproxied(WANTED_FOR_TUNNEL.to_owned(), false).into());
        (status == CREDENTIALS_WANTED).then(refusal)
    }

    fn unproxied(&self, why: String, unconnected: bool) -> Unproxied {
        let settings = why.contains(WANTED_FOR_TUNNEL);
        let remedy = if settings { WITH_CREDENTIALS } else { ANOTHER_WAY };
        Unproxied { proxy: self.address.clone(), why, settings, remedy, unconnected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(all: &str, no: &str) -> Proxies {
        variables(&[("ALL_PROXY", all), ("NO_PROXY", no)])
    }

    fn variables(variables: &[(&str, &str)]) -> Proxies {
        let value = |name: &str| variables.iter().find(|(set, _)| *set == name);
        Proxies::of_variables(|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_proxy_whose_address_cant_be_read_is_refused_by_its_variable() {
        let why = |set: &[(&str, &str)], url| variables(set).of(url).map_err(|error| error.to_string());
        for value in ["http://user:secret@proxy.test:port", "socks9://proxy.test", "http://", "two words"] {
            let refused = Err("through the proxy of HTTPS_PROXY: its address can't be read".to_owned());
            let set = [("HTTPS_PROXY", value), ("ALL_PROXY", "http://proxy.test"), ("NO_PROXY", "s3.test")];
            assert_eq!(why(&set, "https://minio/"), refused, "{value}");
            // A wrong variable is ignored for addresses without a proxy, or with another one.
            for url in ["https://s3.test/", "https://127.0.0.1/"] {
                assert_eq!(why(&set, url), Ok(None), "{value}");
            }
            assert!(why(&set, "http://minio/").unwrap().is_some(), "{value}");
            let refused = Err("through the proxy of all_proxy: its address can't be read".to_owned());
            assert_eq!(why(&[("all_proxy", value)], "http://minio/"), refused, "{value}");
        }
        // An empty variable names no proxy.
        assert_eq!(why(&[("HTTPS_PROXY", "")], "https://minio/"), Ok(None));
        // Set by the client of a CGI server.
        assert_eq!(why(&[("HTTP_PROXY", "::"), ("REQUEST_METHOD", "GET")], "http://minio/"), Ok(None));
    }

    #[test]
    fn near_hosts_and_exceptions_are_asked_directly() {
        let proxies = proxies("http://user:secret@proxy.test:3128", "s3.test,10.0.0.0/8");
        for url in [
            "http://localhost:9000/b/k",
            "http://127.0.0.1:9000/",
            "https://[::1]/",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/latest/",
            "https://bucket.s3.test/k?x=1",
            "http://10.1.2.3/",
            "",
        ] {
            assert_eq!(proxies.of(url).unwrap(), None, "{url}");
        }
        for url in ["https://s3.eu-west-1.amazonaws.com/b/k", "http://minio:9000/", "http://192.168.0.1/"] {
            let proxy = proxies.of(url).unwrap().unwrap();
            assert_eq!(proxy, Proxy { address: "http://proxy.test:3128".to_owned(), tls: false }, "{url}");
        }
    }

    #[test]
    fn proxies_of_other_kinds_are_refused_by_name() {
        let refused = proxies("socks5://user:secret@proxy.test:1080", "").of("http://minio/").unwrap_err();
        assert_eq!(refused.to_string(), "through the proxy socks5://proxy.test:1080: it does not speak HTTP");
        assert!(proxies("https://proxy.test", "").of("http://minio/").unwrap().unwrap().tls);
    }

    #[test]
    fn a_proxy_that_wants_a_password_is_a_wrong_setting() {
        let proxy = proxies("http://proxy.test", "").of("http://minio/").unwrap().unwrap();
        assert!(proxy.refusal(403).is_none());
        let refusal = proxy.refusal(407).unwrap();
        assert_eq!(innermost(&refusal), "through the proxy http://proxy.test: proxy authorization required");
        let dead = ConnectorError::io("Connection refused (os error 111)".into());
        let named = proxy.name(&dead, true);
        assert_eq!(
            innermost(&named),
            "through the proxy http://proxy.test: Connection refused (os error 111)"
        );
    }
}
