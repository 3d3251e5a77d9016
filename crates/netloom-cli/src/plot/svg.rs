//! Panels with axes, drawn as SVG: enough of it for lines and strokes over time.

use std::fmt::Write;

/// The picture's width, and where the panels stand in it, in pixels.
const WIDTH: f64 = 1200.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
/// What is above the first panel, and above each for its name.
const TOP: f64 = 50.0;
const GAP: f64 = 56.0;
/// Marks closer than this are one.
const NEAR: f64 = 0.4;

/// How marks look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) color: &'static str,
    /// In pixels.
    pub(super) width: f64,
    /// What the legend says; nothing: no entry.
    pub(super) name: &'static str,
}

/// Marks of one style.
#[derive(Debug)]
pub(super) enum Marks {
    /// A line from point to point.
    Line(Vec<(f64, f64)>),
    /// A line that stays where it is until it changes.
    Steps(Vec<(f64, f64)>),
    /// Strokes: a moment, from, to.
    Strokes(Vec<(f64, f64, f64)>),
    /// Crosses.
    Crosses(Vec<(f64, f64)>),
    /// Points.
    Dots(Vec<(f64, f64)>),
}

impl Marks {
    fn is_empty(&self) -> bool {
        match self {
            Marks::Line(points) | Marks::Steps(points) => points.is_empty(),
            Marks::Crosses(points) | Marks::Dots(points) => points.is_empty(),
            Marks::Strokes(strokes) => strokes.is_empty(),
        }
    }

    fn highest(&self) -> f64 {
        let highest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(0.0, f64::max);
        match self {
            Marks::Line(points) | Marks::Steps(points) => highest(points),
            Marks::Crosses(points) | Marks::Dots(points) => highest(points),
            Marks::Strokes(strokes) => strokes.iter().map(|s| s.2).fold(0.0, f64::max),
        }
    }
}

/// One diagram over the picture's time.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) name: String,
    /// In pixels.
    pub(super) height: f64,
    pub(super) marks: Vec<(Style, Marks)>,
}

/// Draws panels one below the other, over `seconds` of time.
pub(super) fn draw(title: &str, seconds: f64, panels: &[Panel]) -> String {
    let height = TOP + panels.iter().map(|p| p.height + GAP).sum::<f64>() + 10.0;
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    let mut top = TOP + GAP - 26.0;
    for panel in panels {
        Frame::new(panel, top, seconds).draw(panel, &mut out);
        top += panel.height + GAP;
    }
    out.push_str("</svg>\n");
    out
}

/// Where a panel's values lie in the picture.
struct Frame {
    top: f64,
    height: f64,
    seconds: f64,
    highest: f64,
}

impl Frame {
    fn new(panel: &Panel, top: f64, seconds: f64) -> Frame {
        let highest = panel.marks.iter().map(|(_, marks)| marks.highest());
        let highest = highest.fold(0.0, f64::max);
        Frame {
            top,
            height: panel.height,
            seconds: if seconds > 0.0 { seconds } else { 1.0 },
            highest: if highest > 0.0 { highest * 1.04 } else { 1.0 },
        }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + at / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height - value / self.highest * self.height
    }

    fn draw(&self, panel: &Panel, out: &mut String) {
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
            self.top - 8.0,
            escaped(&panel.name)
        );
        self.axes(out);
        let mut legend = WIDTH - RIGHT;
        for (style, marks) in &panel.marks {
            if marks.is_empty() {
                continue;
            }
            let path = self.path(marks);
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-linecap=\"round\"/>",
                style.color, style.width
            );
            if !style.name.is_empty() {
                let _ = writeln!(
                    out,
                    "<text x=\"{legend:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{}\">{}</text>",
                    self.top - 8.0,
                    style.color,
                    escaped(style.name)
                );
                // What a letter takes, and a space between two entries.
                legend -= style.name.len() as f64 * 6.4 + 18.0;
            }
        }
    }

    fn axes(&self, out: &mut String) {
        let (left, right) = (LEFT, WIDTH - RIGHT);
        let bottom = self.top + self.height;
        for value in ticks(self.highest, self.height / 45.0) {
            let y = self.y(value);
            let _ = writeln!(
                out,
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e4e4e4\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                short(value)
            );
        }
        for at in ticks(self.seconds, 12.0) {
            let x = self.x(at);
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {:.1}V{bottom:.1}\" stroke=\"#e4e4e4\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>",
                self.top,
                bottom + 16.0,
                trimmed(at)
            );
        }
        let _ = writeln!(
            out,
            "<path d=\"M{left} {:.1}V{bottom:.1}H{right}\" fill=\"none\" stroke=\"#555555\"/>",
            self.top
        );
    }

    fn path(&self, marks: &Marks) -> String {
        let mut path = String::new();
        let mut last = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        // What lies where the mark before it does adds nothing but length.
        let mut is_new = |x: f64, y: f64| {
            let far = (x - last.0).abs() >= NEAR || (y - last.1).abs() >= NEAR;
            if far {
                last = (x, y);
            }
            far
        };
        match marks {
            Marks::Line(points) => {
                for (x, y) in self.placed(points).filter(|p| is_new(p.0, p.1)) {
                    let _ = write!(path, "{}{x:.1} {y:.1}", move_or_line(&path));
                }
            }
            Marks::Steps(points) => {
                for (x, y) in self.placed(points).filter(|p| is_new(p.0, p.1)) {
                    if path.is_empty() {
                        let _ = write!(path, "M{x:.1} {y:.1}");
                    } else {
                        let _ = write!(path, "H{x:.1}V{y:.1}");
                    }
                }
                let _ = write!(path, "H{:.1}", WIDTH - RIGHT);
            }
            Marks::Strokes(strokes) => {
                for &(at, from, to) in strokes {
                    let (x, low, high) = (self.x(at), self.y(from), self.y(to));
                    if is_new(x, high) {
                        let _ = write!(path, "M{x:.1} {low:.1}V{high:.1}");
                    }
                }
            }
            Marks::Crosses(points) => {
                for (x, y) in self.placed(points) {
                    let _ = write!(path, "M{:.1} {:.1}l6 6m-6 0l6 -6", x - 3.0, y - 3.0);
                }
            }
            Marks::Dots(points) => {
                for (x, y) in self.placed(points).filter(|p| is_new(p.0, p.1)) {
                    let _ = write!(path, "M{x:.1} {y:.1}h0");
                }
            }
        }
        path
    }

    fn placed(&self, points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
        points
            .iter()
            .map(|&(at, value)| (self.x(at), self.y(value)))
    }
}

fn move_or_line(path: &str) -> char {
    if path.is_empty() { 'M' } else { 'L' }
}

/// Round values from 0 up to `highest`, about `count` of them.
fn ticks(highest: f64, count: f64) -> impl Iterator<Item = f64> {
    let rough = highest / count.max(1.0);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(power * 10.0);
    let number = (highest / step).floor().min(1000.0) as u32;
    (0..=number).map(move |i| f64::from(i) * step)
}

/// A number with its thousands as letters.
fn short(value: f64) -> String {
    for (unit, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= unit {
            return format!("{}{letter}", trimmed(value / unit));
        }
    }
    trimmed(value)
}

/// A number with as few digits as tell it.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
