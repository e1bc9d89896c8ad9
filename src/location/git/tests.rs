use crate::location::LedgerUrl;

#[test]
fn valid_urls_print_as_they_are_read() {
    for url in [
        "git+file:///srv/ledger.git",
        "git+file:///srv/a%20b#refs/heads/ledger",
        "git+https://host/team/ledger.git",
        "git+https://host:8443/team/ledger.git#refs/sacker/other",
        "git+ssh://git@host/team/ledger.git",
        "git+http://127.0.0.1:8080/ledger.git",
        "git+http://[::1]/ledger.git",
    ] {
        assert_eq!(url.parse::<LedgerUrl>().map(|url| url.to_string()).as_deref(), Ok(url));
    }
    let explicit = "git+https://host/r#refs/sacker/ledger".parse::<LedgerUrl>();
    assert_eq!(explicit, "git+https://host/r".parse::<LedgerUrl>());
}

#[test]
fn invalid_urls_are_explained() {
    for (url, wrong) in [
        ("git+file://relative/dir", "it must be absolute"),
        ("git+file:///a?x=1", "unknown parameter"),
        ("git+ext::sh -c evil", "unknown scheme \"git+ext\""),
        ("git+git://host/r", "unknown scheme \"git+git\""),
        ("git+https://host", "it does not name a repository"),
        ("git+https://host/r?x=1", "it can't have parameters"),
        ("git+http://host/r", "http is not encrypted"),
        ("git+ssh://-oProxyCommand=x/r", "begins with `-`"),
        ("git+ssh://-x@host/r", "begins with `-`"),
        ("git+https://host/r#main", "the full name of a ref"),
        ("git+https://host/r#refs/heads/a..b", "the full name of a ref"),
        ("git+https://host/r#refs/heads/-x", "the full name of a ref"),
        ("git+https://host/r#refs/heads/x.lock", "the full name of a ref"),
        ("git+https://host/r#", "the full name of a ref"),
        ("git+https://TOKEN@host/r", "credentials don't belong in it"),
        ("git+https://ann:secret@host/r", "credentials don't belong in it"),
        ("git+ssh://git:secret@host/r", "credentials don't belong in it"),
    ] {
        let error = url.parse::<LedgerUrl>().expect_err(url).to_string();
        assert!(
            error.contains(wrong) && !error.contains("secret") && !error.contains("TOKEN"),
            "{url}: {error}"
        );
    }
}
