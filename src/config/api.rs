//! `[api]`: where hsmc can be asked over HTTP, and how much of it. Off where no address is given.
//!
//! Promises: what is let through here listens on this machine only, or speaks TLS, or somebody wrote that a proxy
//! does. Never: reading a file.

use super::error::Problem;
use super::lenient::{Span, Text};
use super::schema;
use super::settings::{between, switch};
use crate::domain::code::Code;
use std::net::SocketAddr;
use std::time::Duration;

/// How the API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<Tls>,
    /// Bytes that a request's body may have.
    pub body_limit: usize,
    /// Requests of one token in a minute.
    pub requests_per_minute: u32,
    /// Requests answered at once, of everybody.
    pub concurrency: usize,
    /// An answer that takes longer is given up.
    pub answer_within: Duration,
}

/// Files, relative to the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
}

/// Checks the section.
pub(super) fn check(from: schema::Api, problems: &mut Vec<Problem>) -> Option<Api> {
    let body_limit = between("api.body_limit_kb", from.body_limit_kb, 256, 1, 65_536, problems);
    let per_minute =
        between("api.requests_per_minute", from.requests_per_minute, 600, 1, 10_000_000, problems);
    let concurrency = between("api.concurrency", from.concurrency, 64, 1, 10_000, problems);
    let behind_proxy = switch(from.behind_proxy, false);
    let tls = tls(from.tls_cert, from.tls_key, problems);
    let text = from.listen.map(|Text(text)| text).filter(|text| !text.is_empty())?;
    let Ok(listen) = text.parse::<SocketAddr>() else {
        problems.push(Problem::new(
            Code::ConfigValue,
            "api.listen",
            format!("`{text}` is no address with a port"),
            "write it as \"127.0.0.1:4680\"",
        ));
        return None;
    };
    if !listen.ip().is_loopback() && tls.is_none() && !behind_proxy {
        problems.push(Problem::new(
            Code::ConfigContradiction,
            "api.listen",
            format!("{listen} can be reached from other machines, and nothing encrypts what goes there"),
            "listen on 127.0.0.1, give `tls_cert` and `tls_key`, or write `behind_proxy = true` where a proxy does TLS",
        ));
    }
    Some(Api {
        listen,
        tls,
        body_limit: usize::try_from(body_limit).unwrap_or(256) << 10,
        requests_per_minute: u32::try_from(per_minute).unwrap_or(600),
        concurrency: usize::try_from(concurrency).unwrap_or(64),
        answer_within: from.answer_within.map_or(Duration::from_secs(30), |Span(span)| span),
    })
}

fn tls(certificate: Option<Text>, key: Option<Text>, problems: &mut Vec<Problem>) -> Option<Tls> {
    let given = |text: Option<Text>| text.map(|Text(text)| text).filter(|text| !text.is_empty());
    match (given(certificate), given(key)) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
        (None, None) => None,
        (certificate, _) => {
            let (there, lacks) = match certificate {
                Some(_) => ("api.tls_cert", "tls_key"),
                None => ("api.tls_key", "tls_cert"),
            };
            problems.push(Problem::new(
                Code::ConfigContradiction,
                there,
                format!("TLS takes a certificate and its key, and `{lacks}` is missing"),
                format!("add `{lacks} = \"FILE.pem\"`, or take the other out"),
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> (Option<Api>, Vec<String>) {
        let mut problems = Vec::new();
        let api = check(toml::from_str(lines).unwrap(), &mut problems);
        (api, problems.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn without_an_address_nothing_listens() {
        assert_eq!(read("concurrency = 3"), (None, vec![]));
    }

    #[test]
    fn other_machines_are_let_in_only_by_tls_or_in_so_many_words() {
        for (lines, wrong) in [
            ("listen = \"127.0.0.1:4680\"", false),
            ("listen = \"[::1]:4680\"", false),
            ("listen = \"0.0.0.0:4680\"", true),
            ("listen = \"192.0.2.1:4680\"\nbehind_proxy = false", true),
            ("listen = \"192.0.2.1:4680\"\nbehind_proxy = true", false),
            ("listen = \"[::]:4680\"\ntls_cert = \"a.pem\"\ntls_key = \"b.pem\"", false),
            ("listen = \"[::]:4680\"\ntls_cert = \"a.pem\"", true),
            ("listen = \"localhost\"", true),
        ] {
            assert_eq!(!read(lines).1.is_empty(), wrong, "{lines}");
        }
    }
}
