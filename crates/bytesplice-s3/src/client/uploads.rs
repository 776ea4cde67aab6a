use std::ops::Range;

use roxmltree::Node;
use rusty_s3::Method;

use super::request::{Answer, Draft};
use super::{Client, checksum, may_be_the_checksum, with_condition, xml};
use crate::{Condition, Error, Head, Operation, Result, Upload, UploadedPart};

const CHECKSUM: &str = "x-amz-checksum-crc32c";

impl Client {
    pub(super) fn create(&self, like: Option<&Head>) -> Result<Upload> {
        let draft = Draft::new(Operation::CreateUpload, Method::Post).query("uploads", "");
        let draft = self.with_attributes(draft, like)?;
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

    pub(super) fn send_part(
        &self,
        upload: &Upload,
        number: u16,
        body: &[u8],
    ) -> Result<UploadedPart> {
        let mut draft = part(Operation::UploadPart, upload, number).body(body);
        let checksum = upload.checksums.then(|| checksum(body));
        if let Some(checksum) = &checksum {
            draft = draft.header(CHECKSUM, checksum);
        }
        let answer = self.send(&draft)?;
        let stored = answer.header(CHECKSUM);
        if stored.is_some() && checksum.is_some() && stored != checksum.as_deref() {
            return Err(self.bad(&draft, "the store has other bytes than were sent"));
        }
        let etag = answer.header("etag").ok_or_else(|| self.missing(&draft, "ETag"))?.to_owned();
        Ok(UploadedPart { number, etag, len: Some(body.len() as u64), checksum })
    }

    pub(super) fn copy(
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

    /// Once: see [`crate::Store::complete`].
    pub(super) fn complete_once(
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

    pub(super) fn all_parts(&self, upload: &str) -> Result<Vec<UploadedPart>> {
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
                // Without an ETag (s3s-fs) it is of no use.
                parts.extend(self.part_in(&draft, part, number, len).ok());
            }
            if xml::text(root, "IsTruncated") != Some("true") {
                break;
            }
            if marker == before {
                return Err(self.bad(&draft, "the list does not go on"));
            }
        }
        parts.sort_by_key(|part| part.number);
        // SeaweedFS lists a part twice that came twice, and does not say which one counts.
        let single = parts.chunk_by(|one, other| one.number == other.number);
        Ok(single.filter(|parts| parts.len() == 1).flatten().cloned().collect())
    }

    fn part_in(
        &self,
        draft: &Draft<'_>,
        node: Node<'_, '_>,
        number: u16,
        len: Option<u64>,
    ) -> Result<UploadedPart> {
        let etag = xml::text(node, "ETag").filter(|etag| !etag.is_empty());
        let etag = etag.ok_or_else(|| self.missing(draft, "ETag"))?.to_owned();
        let checksum = xml::text(node, "ChecksumCRC32C").filter(|text| !text.is_empty());
        Ok(UploadedPart { number, etag, len, checksum: checksum.map(str::to_owned) })
    }

    fn etag_of(&self, draft: &Draft<'_>, answer: &Answer) -> Result<String, Error> {
        let document = self.document(draft, answer.text())?;
        let etag = xml::text(document.root_element(), "ETag");
        Ok(etag.ok_or_else(|| self.missing(draft, "ETag"))?.to_owned())
    }
}

fn part<'a>(operation: Operation, upload: &Upload, number: u16) -> Draft<'a> {
    Draft::new(operation, Method::Put).query("partNumber", number).query("uploadId", &upload.id)
}
