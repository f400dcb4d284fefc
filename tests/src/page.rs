//! Pages of the documentation, whose blocks tests run.

/// The section of a page that begins with a heading.
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    page.split("\n## ").find(|part| part.starts_with(heading)).unwrap_or_else(|| panic!("no section {heading}"))
}

/// The blocks of a page or section that are marked with `mark`, in their order.
pub fn blocks<'a>(text: &'a str, mark: &str) -> impl Iterator<Item = &'a str> {
    examples(text, mark).map(|(block, _)| block)
}

/// The same, each with the output that the page shows right below it.
pub fn examples<'a>(text: &'a str, mark: &str) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let fence = format!("```{mark}\n");
    let starts: Vec<usize> = text.match_indices(&fence).map(|(start, _)| start + fence.len()).collect();
    starts.into_iter().map(|start| {
        let (block, rest) = text[start..].split_once("```\n").unwrap_or_default();
        let output = rest.strip_prefix("```text\n").and_then(|rest| rest.split("```\n").next());
        (block, output)
    })
}

/// The statements of a block, each of which ends with a line.
pub fn statements(block: &str) -> Vec<&str> {
    block.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).collect()
}
