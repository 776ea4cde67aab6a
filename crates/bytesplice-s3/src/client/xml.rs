use roxmltree::{Document, Node};

/// A child's text, whatever the name space: stores differ in it.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name).map(|child| child.text().unwrap_or(""))
}

/// The children of this name.
pub(super) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// Code and message of an answer that is an error, be its status 200 or not.
pub(super) fn error_in(body: &str) -> Option<(String, String)> {
    let document = Document::parse(body.trim()).ok()?;
    let root = document.root_element();
    let is_error = root.tag_name().name() == "Error";
    is_error.then(|| {
        let text = |name| text(root, name).unwrap_or("").to_owned();
        (text("Code"), text("Message"))
    })
}

/// `text` as the contents of an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_whatever_the_status() {
        let body = "\n<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>a &amp; b</Message></Error>";
        assert_eq!(error_in(body), Some(("InternalError".to_owned(), "a & b".to_owned())));
        let fine = "<CompleteMultipartUploadResult xmlns=\"x\"><ETag>e</ETag></CompleteMultipartUploadResult>";
        assert_eq!(error_in(fine), None);
        assert_eq!(error_in("not XML"), None);
    }
}
