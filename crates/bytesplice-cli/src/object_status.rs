//! What a store tells of an object and of the uploads that are to change it.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use bytesplice_s3::{Client, Error, Head, LeftoverUpload, Profile, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::opened::ObjectPlace;
use crate::output::{Object, bytes, grouped, object, printable, shown};
use crate::size::approximate;

/// What is known of an object.
pub struct ObjectStatus {
    endpoint: Option<String>,
    profile: Profile,
    head: Head,
    /// Number of tags. Not everybody may read them.
    tags: Result<u64, Error>,
    /// Not every store lists them.
    uploads: Result<Vec<LeftoverUpload>, Error>,
}

impl ObjectStatus {
    /// Asks the store.
    ///
    /// # Errors
    /// There is no such object, or the store refused to tell.
    pub fn of(place: ObjectPlace) -> Result<Self, Failure> {
        let client = Client::new(place.name, &place.settings)?;
        let head = client.head()?;
        let tags = match head.tags {
            Some(count) => Ok(count),
            None => client.tags().map(|tags| tags.len() as u64),
        };
        Ok(Self {
            endpoint: place.settings.endpoint,
            profile: place.profile,
            head,
            tags,
            uploads: client.list_uploads(),
        })
    }

    /// For people.
    pub fn table(&self, path: &Path) -> String {
        let mut table = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(table, "{name:<13}{value}");
        };
        row("object", shown(path));
        row("length", bytes(self.head.len));
        row("etag", printable(&self.head.etag));
        let mut name = "attributes";
        for attribute in &self.head.attributes {
            row(name, printable(&format!("{}: {}", attribute.name, attribute.text())));
            name = "";
        }
        match &self.tags {
            Ok(0) => {}
            Ok(count) => row("tags", grouped(*count)),
            Err(error) => row("tags", format!("not known: {}", printable(&error.to_string()))),
        }
        let Profile { smallest_part, largest_part, most_parts, equal_parts, .. } = self.profile;
        row("store", printable(self.endpoint.as_deref().unwrap_or("Amazon S3")));
        row(
            "parts",
            format!(
                "{} to {}, {} at most{}",
                approximate(smallest_part),
                approximate(largest_part),
                grouped(most_parts),
                if equal_parts { ", all but the last of one length" } else { "" }
            ),
        );
        match &self.uploads {
            Ok(uploads) if uploads.is_empty() => row("uploads", "none under way".into()),
            Ok(uploads) => {
                let mut name = "uploads";
                for upload in uploads {
                    row(name, begun(upload));
                    name = "";
                }
            }
            Err(error) => row("uploads", format!("not known: {}", printable(&error.to_string()))),
        }
        table
    }

    /// For programs.
    pub fn object(&self, path: &Path) -> Object {
        let mut object = object("status", path);
        object.insert("length".into(), self.head.len.into());
        object.insert("etag".into(), self.head.etag.as_str().into());
        let attributes = self.head.attributes.iter();
        let attributes: Object = attributes
            .map(|attribute| (attribute.name.clone(), attribute.text().as_ref().into()))
            .collect();
        object.insert("attributes".into(), attributes.into());
        object.insert("tags".into(), self.tags.as_ref().ok().copied().into());
        object.insert("endpoint".into(), self.endpoint.as_deref().into());
        let uploads = self.uploads.as_ref().map_or(Value::Null, |uploads| uploads_value(uploads));
        object.insert("uploads".into(), uploads);
        object
    }
}

/// Uploads with the times of their beginnings.
pub fn uploads_value(uploads: &[LeftoverUpload]) -> Value {
    let value = |upload: &LeftoverUpload| {
        let initiated = Timestamp::try_from(upload.initiated).map(|time| time.to_string()).ok();
        json!({ "id": upload.id, "initiated": initiated })
    };
    uploads.iter().map(value).collect()
}

/// When an upload was begun, and which one it is.
pub fn begun(upload: &LeftoverUpload) -> String {
    format!("begun {} ago: {}", age(upload, SystemTime::now()), printable(&upload.id))
}

/// How long ago an upload was begun, such as `1h 5m 12s`.
fn age(upload: &LeftoverUpload, now: SystemTime) -> String {
    // By another clock it may be in the future.
    let age = now.duration_since(upload.initiated).unwrap_or_default().as_secs();
    format!("{:#}", SignedDuration::from_secs(i64::try_from(age).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ages_are_told_in_words() {
        let initiated = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let upload = LeftoverUpload { id: "it".into(), initiated };
        for (seconds, text) in [(0, "0s"), (75, "1m 15s"), (3 * 86_400 + 60, "72h 1m")] {
            assert_eq!(age(&upload, initiated + Duration::from_secs(seconds)), text);
        }
        assert_eq!(age(&upload, SystemTime::UNIX_EPOCH), "0s");
        assert_eq!(uploads_value(&[upload])[0]["initiated"], "1970-01-12T13:46:40Z");
    }
}
