//! Requests that lose headers on the way, and are signed again, so that the server takes them.

use std::time::Duration;

use rusty_s3::Method;
use url::Url;

/// The head of a request without the headers of these names (in lower case), signed for the server
/// at this port.
pub fn without(head: &str, names: &[&str], port: u16) -> String {
    let mut lines = head.trim_end().lines();
    let request: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let [method, target, version] = request[..] else { panic!("no request: {head}") };
    let kept: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').expect("a header has a colon"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| name != "host" && !names.contains(&&name[..]))
        .collect();
    let url: Url = format!("http://127.0.0.1:{port}{target}").parse().expect("a target is a URL");
    let mut query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let signed = query.iter().find(|(name, _)| name == "X-Amz-SignedHeaders");
    let signed = signed.map(|(_, names)| names.clone()).unwrap_or_default();
    query.retain(|(name, _)| !name.starts_with("X-Amz-"));
    query.sort();
    let mut headers: Vec<(&str, &str)> = kept
        .iter()
        .map(|(name, value)| (&name[..], *value))
        .filter(|(name, _)| signed.split(';').any(|signed| signed == *name))
        .collect();
    headers.sort_unstable();
    let method_signed = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => panic!("{other} is not asked of stores"),
    };
    let url = rusty_s3::signing::sign(
        &jiff::Timestamp::now(),
        method_signed,
        url,
        "key",
        "secret",
        None,
        "us-east-1",
        Duration::from_secs(60).as_secs(),
        query.iter().map(|(name, value)| (&name[..], &value[..])),
        headers.into_iter(),
    );
    let mut head = format!(
        "{method} {}?{} {version}\r\nhost: 127.0.0.1:{port}\r\n",
        url.path(),
        url.query().unwrap_or_default()
    );
    for (name, value) in kept {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}
