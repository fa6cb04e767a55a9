//! Text that is safe in HTML, numbers that are short, and the few SVG elements the pictures need.

use std::fmt::Write;

/// The text with everything that means something to HTML written out.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A coordinate with at most one decimal.
pub(super) fn px(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    format!("{}", if tenths == 0.0 { 0.0 } else { tenths })
}

/// A count with thousands separators.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A measured value with four significant digits.
pub(super) fn value(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let magnitude = number.abs().log10().floor();
    if !(-4.0..7.0).contains(&magnitude) {
        return format!("{number:.2e}");
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share in per cent with one decimal.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// A drawing that grows element by element.
pub(super) struct Drawing {
    body: String,
    width: f64,
    height: f64,
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// Adds markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let (x1, y1, x2, y2) = (px(x1), px(y1), px(x2), px(y2));
        self.add(format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    pub(super) fn path(&mut self, class: &str, commands: &str) {
        self.add(format_args!("<path class=\"{class}\" d=\"{commands}\"/>"));
    }

    /// Escapes the text.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.add(format_args!("<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>", px(x), px(y), escape(text)));
    }

    /// Like [`text`](Self::text), written upwards at 60 degrees.
    pub(super) fn slanted(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let (x, y) = (px(x), px(y));
        let text = escape(text);
        self.add(format_args!("<text class=\"{class}\" transform=\"translate({x} {y}) rotate(-60)\">{text}</text>"));
    }

    /// A rectangle that shows `title` when it is pointed at.
    pub(super) fn area(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let (x, y, width, height, title) = (px(x), px(y), px(width), px(height), escape(title));
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{title}</title></rect>"
        ));
    }

    /// The finished element; `name` is what a screen reader says.
    pub(super) fn finish(self, name: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            px(self.width),
            px(self.height),
            escape(name),
            self.body
        )
    }

    /// Like [`finish`](Self::finish), as a file of its own.
    pub(super) fn image(self, name: &str) -> String {
        self.finish(name).replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1)
    }

    fn add(&mut self, markup: std::fmt::Arguments<'_>) {
        self.body.write_fmt(markup).expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
        let mut drawing = Drawing::new(10.0, 10.0);
        drawing.text("t", (1.0, 2.0), "</text><b>");
        drawing.area("a", (0.0, 0.0), (1.0, 1.0), "</title><i>");
        let svg = drawing.finish("\"><u>");
        assert!(["<b>", "<i>", "<u>"].iter().all(|tag| !svg.contains(tag)), "{svg}");
    }

    #[test]
    fn numbers_are_short_and_exact_enough() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(value(0.0), "0");
        assert_eq!(value(12.34567), "12.35");
        assert_eq!(value(12_345.6), "12346");
        assert_eq!(value(100_000.0), "100000");
        assert_eq!(value(-0.5), "-0.5");
        assert_eq!(value(0.000_012), "1.20e-5");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(px(-0.01), "0");
        assert_eq!(px(12.345), "12.3");
    }
}
