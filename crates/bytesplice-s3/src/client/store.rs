use std::ops::Range;
use std::time::SystemTime;

use jiff::Timestamp;
use roxmltree::Node;
use rusty_s3::Method;

use super::request::{Answer, Draft};
use super::{Client, attributes, checksum, md5, xml};
use crate::{
    Attribute, Condition, Error, Head, LeftoverUpload, ObjectName, Operation, Result, Retry, Store,
    Upload, UploadedPart,
};

const CHECKSUM: &str = "x-amz-checksum-crc32c";
/// For stores that keep no checksums, but may look at what they were sent.
const MD5: &str = "content-md5";

impl Store for Client {
    fn name(&self) -> &ObjectName {
        &self.name
    }

    fn retry(&self) -> Retry {
        self.retry.clone()
    }

    fn head(&self) -> Result<Head> {
        let draft =
            Draft::new(Operation::Head, Method::Head).header("x-amz-checksum-mode", "ENABLED");
        let answer = self.send(&draft)?;
        let number = |name| answer.header(name).and_then(|text| text.parse().ok());
        Ok(Head {
            len: number("content-length").ok_or_else(|| self.missing(&draft, "Content-Length"))?,
            etag: answer.header("etag").ok_or_else(|| self.missing(&draft, "ETag"))?.to_owned(),
            checksum: answer.header(CHECKSUM).map(str::to_owned),
            attributes: attributes::attributes(&answer.headers),
            tags: number("x-amz-tagging-count"),
        })
    }

    fn get(&self, range: Range<u64>, etag: &str) -> Result<Vec<u8>> {
        let len = range.end.saturating_sub(range.start);
        if len == 0 {
            return Ok(Vec::new());
        }
        let mut draft = Draft::new(Operation::Get, Method::Get)
            .header("range", format!("bytes={}-{}", range.start, range.end - 1))
            .header("if-match", etag);
        draft.answer = draft.answer.max(len);
        let answer = self.send(&draft)?;
        let expected = format!("bytes {}-{}/", range.start, range.end - 1);
        let is_range =
            answer.header("content-range").is_some_and(|text| text.starts_with(&expected));
        // Stores may answer 200 where the range is all there is.
        let is_whole = answer.status == 200 && range.start == 0;
        if answer.header("etag").is_some_and(|found| found != etag) {
            let (object, operation) = (self.name.clone(), Operation::Get);
            return Err(Error::Changed { object, operation });
        }
        if !(is_range || is_whole) || answer.body.len() as u64 != len {
            return Err(self.bad(&draft, "it is not the range that was asked for"));
        }
        Ok(answer.body)
    }

    fn tags(&self) -> Result<Vec<(String, String)>> {
        let draft = Draft::new(Operation::GetTags, Method::Get).query("tagging", "");
        let answer = match self.send(&draft) {
            Err(error) if has_no_tags(&error) => return Ok(Vec::new()),
            answer => answer?,
        };
        let document = self.document(&draft, answer.text())?;
        let sets: Vec<_> = xml::children(document.root_element(), "TagSet").collect();
        // A store that ignores the query sends the object.
        if document.root_element().tag_name().name() != "Tagging" || sets.is_empty() {
            return Err(self.missing(&draft, "TagSet"));
        }
        let tags = sets.into_iter().flat_map(|set| xml::children(set, "Tag")).map(|tag| {
            let text = |name| xml::text(tag, name).unwrap_or("").to_owned();
            (text("Key"), text("Value"))
        });
        Ok(tags.collect())
    }

    fn put(&self, body: &[u8], attributes: &[Attribute], condition: &Condition) -> Result<String> {
        let draft = Draft::new(Operation::Put, Method::Put).body(body).attributes(attributes);
        let draft = with_condition(draft, condition);
        let checked = draft.clone().header(CHECKSUM, checksum(body));
        // Sent once: whoever sends it again after a lost answer may meet his own object.
        let answer = match self.send_up_to(&checked, 1) {
            Err(error) if may_be_the_checksum(&error) => {
                self.send_up_to(&draft.header(MD5, md5(body)), 1)
            }
            answer => answer,
        }?;
        let etag = answer.header("etag").ok_or_else(|| self.missing(&checked, "ETag"))?;
        Ok(etag.to_owned())
    }

    fn create_upload(&self, attributes: &[Attribute]) -> Result<Upload> {
        let draft = Draft::new(Operation::CreateUpload, Method::Post).query("uploads", "");
        let draft = draft.attributes(attributes);
        let checked = draft.clone().header("x-amz-checksum-algorithm", "CRC32C");
        let answer = match self.send(&checked) {
            Err(error) if may_be_the_checksum(&error) => self.send(&draft),
            answer => answer,
        }?;
        let document = self.document(&draft, answer.text())?;
        let id = xml::text(document.root_element(), "UploadId");
        let id = id.ok_or_else(|| self.missing(&draft, "UploadId"))?.to_owned();
        // A store that keeps checksums says so.
        let algorithm = answer.header("x-amz-checksum-algorithm");
        Ok(Upload {
            id,
            checksums: algorithm.is_some_and(|name| name.eq_ignore_ascii_case("CRC32C")),
        })
    }

    fn upload_part(&self, upload: &Upload, number: u16, body: &[u8]) -> Result<UploadedPart> {
        let mut draft = part(Operation::UploadPart, upload, number).body(body);
        let checksum = upload.checksums.then(|| checksum(body));
        draft = match &checksum {
            Some(checksum) => draft.header(CHECKSUM, checksum),
            None => draft.header(MD5, md5(body)),
        };
        let answer = self.send(&draft)?;
        let stored = answer.header(CHECKSUM);
        if stored.is_some() && checksum.is_some() && stored != checksum.as_deref() {
            return Err(self.bad(&draft, "the store has other bytes than were sent"));
        }
        let etag = answer.header("etag").ok_or_else(|| self.missing(&draft, "ETag"))?.to_owned();
        Ok(UploadedPart { number, etag, len: Some(body.len() as u64), checksum })
    }

    fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        range: Range<u64>,
        etag: &str,
    ) -> Result<UploadedPart> {
        // As in a URL: slashes stay.
        let path = self.bucket.object_url(self.name.key());
        let encoded = path.path().strip_prefix(self.bucket.base_url().path()).unwrap_or("");
        let draft = part(Operation::CopyPart, upload, number)
            .header("x-amz-copy-source", format!("{}/{encoded}", self.name.bucket()))
            .header("x-amz-copy-source-if-match", etag)
            .header(
                "x-amz-copy-source-range",
                format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
            );
        let answer = self.send(&draft)?;
        let document = self.document(&draft, answer.text())?;
        let len = range.end - range.start;
        self.part_in(&draft, document.root_element(), number, Some(len))
    }

    fn complete(
        &self,
        upload: &Upload,
        parts: &[UploadedPart],
        condition: &Condition,
    ) -> Result<String> {
        let mut body = String::from(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
        );
        for part in parts {
            body += "<Part>";
            if let Some(checksum) = &part.checksum {
                body += &format!("<ChecksumCRC32C>{}</ChecksumCRC32C>", xml::escaped(checksum));
            }
            let etag = xml::escaped(&part.etag);
            body += &format!("<ETag>{etag}</ETag><PartNumber>{}</PartNumber></Part>", part.number);
        }
        body += "</CompleteMultipartUpload>";
        let draft = Draft::new(Operation::Complete, Method::Post)
            .query("uploadId", &upload.id)
            .header("content-type", "application/xml")
            .body(body.as_bytes());
        let draft = with_condition(draft, condition);
        let answer = self.send_up_to(&draft, 1)?;
        self.etag_of(&draft, &answer)
    }

    fn abort(&self, upload: &str) -> Result<()> {
        let draft = Draft::new(Operation::Abort, Method::Delete).query("uploadId", upload);
        self.send(&draft).map(|_| ())
    }

    fn list_parts(&self, upload: &str) -> Result<Vec<UploadedPart>> {
        let mut parts: Vec<UploadedPart> = Vec::new();
        let mut marker: u16 = 0;
        loop {
            let mut draft = Draft::new(Operation::ListParts, Method::Get).query("uploadId", upload);
            if marker > 0 {
                draft = draft.query("part-number-marker", marker);
            }
            let answer = self.send(&draft)?;
            let document = self.document(&draft, answer.text())?;
            let root = document.root_element();
            let before = marker;
            for part in xml::children(root, "Part") {
                let number = xml::text(part, "PartNumber").and_then(|text| text.parse().ok());
                let number: u16 = number.ok_or_else(|| self.missing(&draft, "PartNumber"))?;
                marker = marker.max(number);
                let len = xml::text(part, "Size").and_then(|text| text.parse().ok());
                let etag = xml::text(part, "ETag").unwrap_or("").to_owned();
                parts.push(UploadedPart { number, etag, len, checksum: checksum_in(part) });
            }
            if xml::text(root, "IsTruncated") != Some("true") {
                break;
            }
            if marker == before {
                return Err(self.bad(&draft, "the list does not go on"));
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    fn list_uploads(&self) -> Result<Vec<LeftoverUpload>> {
        let mut uploads = Vec::new();
        let mut marker: Option<(String, String)> = None;
        loop {
            let mut draft = Draft::new(Operation::ListUploads, Method::Get)
                .query("uploads", "")
                .query("prefix", self.name.key());
            draft.of_bucket = true;
            if let Some((key, id)) = &marker {
                draft = draft.query("key-marker", key).query("upload-id-marker", id);
            }
            let answer = self.send(&draft)?;
            let document = self.document(&draft, answer.text())?;
            let root = document.root_element();
            for upload in xml::children(root, "Upload") {
                if xml::text(upload, "Key") != Some(self.name.key()) {
                    continue;
                }
                let id = xml::text(upload, "UploadId");
                let initiated = xml::text(upload, "Initiated").and_then(|text| text.parse().ok());
                let initiated: Timestamp =
                    initiated.ok_or_else(|| self.missing(&draft, "time of the upload"))?;
                uploads.push(LeftoverUpload {
                    id: id.ok_or_else(|| self.missing(&draft, "UploadId"))?.to_owned(),
                    initiated: SystemTime::from(initiated),
                });
            }
            if xml::text(root, "IsTruncated") != Some("true") {
                return Ok(uploads);
            }
            let next = |name| xml::text(root, name).unwrap_or("").to_owned();
            let next = (next("NextKeyMarker"), next("NextUploadIdMarker"));
            if marker.as_ref() == Some(&next) || next.0.is_empty() {
                return Err(self.bad(&draft, "the list does not go on"));
            }
            marker = Some(next);
        }
    }

    fn delete(&self) -> Result<()> {
        match self.send(&Draft::new(Operation::Delete, Method::Delete)) {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Client {
    fn part_in(
        &self,
        draft: &Draft<'_>,
        node: Node<'_, '_>,
        number: u16,
        len: Option<u64>,
    ) -> Result<UploadedPart> {
        let etag = xml::text(node, "ETag").filter(|etag| !etag.is_empty());
        let etag = etag.ok_or_else(|| self.missing(draft, "ETag"))?.to_owned();
        Ok(UploadedPart { number, etag, len, checksum: checksum_in(node) })
    }

    fn etag_of(&self, draft: &Draft<'_>, answer: &Answer) -> Result<String, Error> {
        let document = self.document(draft, answer.text())?;
        let etag = xml::text(document.root_element(), "ETag");
        let etag = etag.ok_or_else(|| self.missing(draft, "ETag"))?;
        // As in the headers with which it is compared.
        Ok(format!("\"{}\"", etag.trim_matches('"')))
    }
}

fn checksum_in(part: Node<'_, '_>) -> Option<String> {
    xml::text(part, "ChecksumCRC32C").filter(|text| !text.is_empty()).map(str::to_owned)
}

fn part<'a>(operation: Operation, upload: &Upload, number: u16) -> Draft<'a> {
    Draft::new(operation, Method::Put).query("partNumber", number).query("uploadId", &upload.id)
}

/// Whether a store said by this error that it has no tags, or that the object has none.
fn has_no_tags(error: &Error) -> bool {
    match error {
        Error::Refused { status: 405 | 501, .. } => true,
        Error::Refused { code, .. } => {
            matches!(code.as_str(), "NoSuchTagSet" | "NoSuchTagSetError" | "NotImplemented")
        }
        _ => false,
    }
}

/// Whether a store that does not know checksums may have said so by this error.
fn may_be_the_checksum(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 400 | 501, code, .. }
        if matches!(code.as_str(), "NotImplemented" | "InvalidArgument" | "InvalidRequest" | "UnsupportedArgument" | ""))
}

fn with_condition<'a>(draft: Draft<'a>, condition: &Condition) -> Draft<'a> {
    match condition {
        Condition::Matches(etag) => draft.header("if-match", etag),
        Condition::Absent => draft.header("if-none-match", "*"),
        Condition::Always => draft,
    }
}
