//! Route patterns, as Flask writes them: `/users/<int:id>`, also `/users/{id}` and `/users/:id`.

use mustdo_plugin::Generator;
use mustdo_plugin::serde_json::{Value, json};

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Fixed(String),
    Variable { name: String, converter: Converter },
}

/// What a variable takes; the names and rules are those of Werkzeug's routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Converter {
    /// Any text without a slash.
    Text,
    /// Digits.
    Int,
    /// Digits, a point, digits.
    Float,
    /// Any text, slashes included.
    Path,
    /// The text form of RFC 9562.
    Uuid,
}

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) segments: Vec<Segment>,
    /// Whether it ends with a slash.
    pub(crate) slash: bool,
}

/// A path, and the values that a match must find in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) path: String,
    pub(crate) values: Vec<(String, Value)>,
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or_else(|| format!("a route begins with '/': `{text}`"))?;
        let slash = rest.is_empty() || rest.ends_with('/');
        let parts = rest.split('/').filter(|part| !part.is_empty());
        let segments = parts.map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, slash })
    }

    /// Whether a variable has a rule of its own.
    pub(crate) fn converts(&self) -> bool {
        self.segments.iter().any(
            |segment| matches!(segment, Segment::Variable { converter, .. } if *converter != Converter::Text),
        )
    }

    pub(crate) fn is_static(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Fixed(_)))
    }

    /// The path with these values for its variables, in their order.
    fn fill(&self, values: &[String]) -> String {
        let mut values = values.iter();
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Fixed(text) => path.push_str(text),
                Segment::Variable { .. } => path.push_str(values.next().map_or("", String::as_str)),
            }
        }
        if self.slash {
            path.push('/');
        }
        path
    }

    fn variables(&self) -> impl Iterator<Item = (&String, Converter)> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Fixed(_) => None,
            Segment::Variable { name, converter } => Some((name, *converter)),
        })
    }

    /// A path that matches, with fresh values.
    pub(crate) fn sample(&self, generator: &mut Generator) -> Sample {
        let drawn: Vec<(String, (String, Value))> =
            self.variables().map(|(name, converter)| (name.clone(), converter.draw(generator))).collect();
        let written: Vec<String> = drawn.iter().map(|(_, (written, _))| written.clone()).collect();
        let values = drawn.into_iter().map(|(name, (_, value))| (name, value)).collect();
        Sample { path: self.fill(&written), values }
    }

    /// Paths that miss the pattern by one variable each.
    pub(crate) fn misses(&self, generator: &mut Generator) -> Vec<String> {
        let converters: Vec<Converter> = self.variables().map(|(_, converter)| converter).collect();
        let mut paths = Vec::new();
        for (place, converter) in converters.iter().enumerate() {
            for miss in converter.misses(generator) {
                let values = converters.iter().enumerate().map(|(other, converter)| {
                    if other == place { miss.clone() } else { converter.draw(generator).0 }
                });
                paths.push(self.fill(&values.collect::<Vec<_>>()));
            }
        }
        paths
    }

    /// Whether a path is one of this pattern's.
    pub(crate) fn takes(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        takes(&self.segments, &parts)
    }
}

fn takes(segments: &[Segment], parts: &[&str]) -> bool {
    match (segments, parts) {
        ([], []) => true,
        ([Segment::Variable { converter: Converter::Path, .. }, rest @ ..], [_, ..]) => {
            (1..=parts.len()).any(|taken| takes(rest, &parts[taken..]))
        }
        ([Segment::Fixed(text), rest @ ..], [part, more @ ..]) => text == part && takes(rest, more),
        ([Segment::Variable { converter, .. }, rest @ ..], [part, more @ ..]) => {
            converter.takes(part) && takes(rest, more)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn segment(part: &str) -> Result<Segment, String> {
    let inner = part
        .strip_prefix('<')
        .and_then(|part| part.strip_suffix('>'))
        .or_else(|| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
        .or_else(|| part.strip_prefix(':'));
    let Some(inner) = inner else {
        return if part.contains(['<', '{']) {
            Err(format!("`{part}`: a variable takes a whole segment of the path here"))
        } else {
            Ok(Segment::Fixed(part.to_owned()))
        };
    };
    let (converter, name) = inner.split_once(':').unwrap_or(("string", inner));
    let converter = match converter {
        "string" | "str" | "default" => Converter::Text,
        "int" => Converter::Int,
        "float" => Converter::Float,
        "path" => Converter::Path,
        "uuid" => Converter::Uuid,
        other => {
            return Err(format!(
                "`{part}`: the converters are string, int, float, path and uuid, not `{other}`"
            ));
        }
    };
    Ok(Segment::Variable { name: name.to_owned(), converter })
}

impl Converter {
    /// A value as the path has it, and as the program should see it.
    fn draw(self, generator: &mut Generator) -> (String, Value) {
        match self {
            Self::Text => {
                let word = generator.token(6);
                match generator.number(0..3) {
                    0 => (format!("{word}%20x"), json!(format!("{word} x"))),
                    1 => (format!("{word}%E8%B7%AF"), json!(format!("{word}路"))),
                    _ => (word.clone(), json!(word)),
                }
            }
            Self::Int => {
                let number = if generator.number(0..4) == 0 { 0 } else { generator.number(1..1_000_000) };
                (number.to_string(), json!(number))
            }
            Self::Float => {
                // Quarters are exact in binary.
                let quarters = generator.number(1..40_000);
                let text = format!("{}.{:02}", quarters / 4, quarters % 4 * 25);
                let value: f64 = text.parse().unwrap_or_default();
                (text, json!(value))
            }
            Self::Path => {
                let path = format!("{}/{}", generator.token(5), generator.token(5));
                (path.clone(), json!(path))
            }
            Self::Uuid => {
                let mut hex = |digits: usize| -> String {
                    (0..digits)
                        .map(|_| {
                            char::from(
                                b"0123456789abcdef"
                                    [usize::try_from(generator.number(0..16)).unwrap_or_default()],
                            )
                        })
                        .collect()
                };
                let text = format!("{}-{}-4{}-a{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12));
                (text.clone(), json!(text))
            }
        }
    }

    /// Values that are near and no match.
    fn misses(self, generator: &mut Generator) -> Vec<String> {
        let number = generator.number(1..1_000);
        let word = generator.token(5);
        match self {
            Self::Text | Self::Path => Vec::new(),
            Self::Int => vec![
                format!("-{number}"),
                format!("{number}.5"),
                format!("{number}{word}"),
                word,
                "%20".to_owned(),
            ],
            Self::Float => vec![format!("{number}.x"), word, format!("{number}.5.5")],
            Self::Uuid => vec![
                word.clone(),
                format!("{number}-{word}"),
                "zzzzzzzz-zzzz-4zzz-azzz-zzzzzzzzzzzz".to_owned(),
            ],
        }
    }

    fn takes(self, part: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Text | Self::Path => true,
            Self::Int => digits(part),
            Self::Float => part.split_once('.').is_some_and(|(whole, rest)| digits(whole) && digits(rest)),
            Self::Uuid => {
                let groups: Vec<&str> = part.split('-').collect();
                groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
                    && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_write_a_variable() {
        let wanted = Segment::Variable { name: "id".to_owned(), converter: Converter::Int };
        assert_eq!(Pattern::parse("/u/<int:id>").unwrap().segments[1], wanted);
        for text in ["/u/<id>", "/u/{id}", "/u/:id"] {
            assert!(!Pattern::parse(text).unwrap().converts(), "{text}");
        }
        assert!(Pattern::parse("/u/<date:d>").is_err());
        assert!(Pattern::parse("u").is_err());
    }

    #[test]
    fn samples_match_and_misses_do_not() {
        let mut generator = Generator::new(3);
        for text in ["/u/<int:id>", "/f/<float:x>/", "/x/<uuid:u>", "/p/<path:p>", "/s/<name>"] {
            let pattern = Pattern::parse(text).unwrap();
            for _ in 0..50 {
                let sample = pattern.sample(&mut generator);
                assert!(pattern.takes(&sample.path), "{text}: {}", sample.path);
                for miss in pattern.misses(&mut generator) {
                    assert!(!pattern.takes(&miss), "{text}: {miss}");
                }
            }
        }
    }
}
