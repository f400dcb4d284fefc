//! What SQL leaves to the search_path: operators without their schema, and the words that stand for one.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Operator(String),
    /// A string's place, a bracket, a comma.
    Other(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found == word)
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let run = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        // One after the end of what is closed by a mark.
        let until = |mark: &str, from: usize| rest[from..].find(mark).map_or(rest.len(), |at| from + at + mark.len());
        let length = match first {
            '-' if rest.starts_with("--") => until("\n", 2),
            '/' if rest.starts_with("/*") => until("*/", 2),
            // Assigns, or casts.
            ':' => 2.min(rest.len()),
            '\'' | '"' => {
                tokens.push(Token::Other(first));
                until(&first.to_string(), 1)
            }
            first if is_of_words(first) => {
                let length = run(is_of_words);
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            first if is_of_operators(first) => {
                let length = run(is_of_operators);
                tokens.push(Token::Operator(rest[..length].to_owned()));
                length
            }
            first => {
                tokens.push(Token::Other(first));
                first.len_utf8()
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_of_words(c: char) -> bool {
    c.is_alphanumeric() || "_$".contains(c)
}

fn is_of_operators(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

/// The operators and words in a statement, or in a part of one, that mean what the search_path makes of them.
pub fn unqualified(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let is_unqualified = |place: usize| match &tokens[place] {
        Token::Operator(operator) => !is_qualified(&tokens[..place]) && !is_no_operator(operator, &tokens[..place]),
        Token::Word(word) => stands_for_an_operator(word, tokens.get(place + 1)),
        Token::Other(_) => false,
    };
    let text = |place: usize| format!("{:?}", &tokens[place.saturating_sub(3)..=place]);
    (0..tokens.len()).filter(|&place| is_unqualified(place)).map(text).collect()
}

/// Whether `OPERATOR(pg_catalog.` comes before.
fn is_qualified(before: &[Token]) -> bool {
    matches!(before, [.., operator, Token::Other('('), schema, Token::Other('.')]
        if operator.is("OPERATOR") && schema.is("pg_catalog"))
}

/// All columns or rows, or an assignment of SET.
fn is_no_operator(operator: &str, before: &[Token]) -> bool {
    let clauses = ["SET", "SELECT", "FROM", "WHERE", "ON", "RETURNING"];
    let is_in_set = || {
        let clause = before.iter().rev().find(|token| clauses.iter().any(|clause| token.is(clause)));
        clause.is_some_and(|clause| clause.is("SET"))
    };
    match (operator, before) {
        ("*", [.., Token::Other('(' | '.' | ',')]) => true,
        ("*", [.., select]) => select.is("SELECT"),
        ("=", [.., start, Token::Word(_)]) => (start.is("SET") || *start == Token::Other(',')) && is_in_set(),
        _ => false,
    }
}

fn stands_for_an_operator(word: &str, next: Option<&Token>) -> bool {
    match word {
        "NULLIF" | "BETWEEN" | "LIKE" | "ILIKE" | "SIMILAR" | "OVERLAPS" | "NATURAL" => true,
        "IN" | "USING" => next == Some(&Token::Other('(')),
        "DISTINCT" => next.is_some_and(|next| next.is("FROM")),
        "CASE" => next.is_some_and(|next| !next.is("WHEN")),
        _ => false,
    }
}

/// The texts in a Rust file that are SQL or a part of it.
pub fn sql_of_rust(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    collect(source.parse().expect("Rust"), &mut texts);
    let keywords = ["SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "WHERE", "AND", "ORDER", "SET"];
    texts.retain(|text| tokens(text).iter().any(|token| keywords.iter().any(|keyword| token.is(keyword))));
    texts
}

fn collect(stream: TokenStream, texts: &mut Vec<String>) {
    let mut is_attribute = false;
    for tree in stream {
        match tree {
            // Comments that document something are attributes.
            TokenTree::Group(group) if is_attribute && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Punct(mark) if mark.as_char() == '#' || is_attribute && mark.as_char() == '!' => {
                is_attribute = true;
                continue;
            }
            TokenTree::Literal(literal) => texts.extend(text(syn::Lit::new(literal))),
            _ => {}
        }
        is_attribute = false;
    }
}

fn text(literal: syn::Lit) -> Option<String> {
    let bytes = match literal {
        syn::Lit::Str(text) => return Some(text.value()),
        syn::Lit::ByteStr(text) => text.value(),
        syn::Lit::CStr(text) => text.value().into_bytes(),
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}
