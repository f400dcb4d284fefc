//! The chart: a bar for each row beside genuine Message DB or a peer, on a logarithmic axis.

use crate::runner::Outcome;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const WIDTH: u32 = 960;
const BAR: u32 = 18;
const TICKS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
const LABELS: u32 = 430;
/// These and a transparent ground read on a light page and on a dark one.
const TEXT: RGBColor = RGBColor(125, 133, 144);
const MET: RGBColor = RGBColor(46, 140, 190);
const MISSED: RGBColor = RGBColor(214, 120, 40);

/// Draws the rows, a theme under the other, into an SVG file.
pub fn draw(file: &Path, themes: &[(&'static str, Vec<Outcome>)]) -> Result<(), Box<dyn Error>> {
    let lines: Vec<Line> = themes.iter().flat_map(|(title, rows)| lines(title, rows)).collect();
    let ratios = lines.iter().filter_map(|line| line.row).map(|row| row.ratio.median);
    let least = ratios.clone().fold(0.5, f64::min) * 0.9;
    let most = ratios.fold(2.0, f64::max) * 1.3;
    let count = i32::try_from(lines.len())?;

    let height = BAR * u32::try_from(lines.len())? + 60;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, 30)
        .build_cartesian_2d((least..most).log_scale(), count..0)?;
    let label = ("sans-serif", 12).into_font().color(&TEXT);
    // A logarithmic axis has ticks of its own at powers of ten only.
    for tick in TICKS.into_iter().filter(|tick| (least..most).contains(tick)) {
        let line = if tick == 1.0 { TEXT.stroke_width(2) } else { TEXT.mix(0.3).stroke_width(1) };
        chart.draw_series([PathElement::new([(tick, 0), (tick, count)], line)])?;
        let (x, y) = chart.backend_coord(&(tick, count));
        root.draw(&Text::new(tick.to_string(), (x, y + 6), label.pos(Pos::new(HPos::Center, VPos::Top))))?;
    }
    let heading = ("sans-serif", 12).into_font().style(FontStyle::Bold).color(&TEXT);
    let middle = |n: i32| chart.backend_coord(&(1.0, n)).1 + i32::try_from(BAR / 2).unwrap_or(0);
    for (n, line) in (0..).zip(&lines) {
        let (y, end) = (middle(n), i32::try_from(LABELS).unwrap_or(0));
        let Some(row) = line.row else {
            root.draw(&Text::new(line.text.clone(), (10, y), heading.pos(Pos::new(HPos::Left, VPos::Center))))?;
            continue;
        };
        let colour = if row.is_missed() { MISSED } else { MET };
        let edge = |ratio: f64, dy: i32| (chart.backend_coord(&(ratio, n)).0, y + dy);
        root.draw(&Rectangle::new([edge(1.0, -6), edge(row.ratio.median, 6)], colour.filled()))?;
        let ratio = format!("{:.2}", row.ratio.median);
        let beyond = edge(row.ratio.median.max(1.0), 0).0 + 5;
        root.draw(&Text::new(ratio, (beyond, y), label.pos(Pos::new(HPos::Left, VPos::Center))))?;
        root.draw(&Text::new(line.text.clone(), (end, y), label.pos(Pos::new(HPos::Right, VPos::Center))))?;
    }
    root.present()?;
    Ok(())
}

/// A heading, or a row.
struct Line<'a> {
    text: String,
    row: Option<&'a Outcome>,
}

fn lines<'a>(title: &str, rows: &'a [Outcome]) -> Vec<Line<'a>> {
    let rows: Vec<Line> = rows
        .iter()
        .filter(|row| row.beside.starts_with("Message DB") || row.beside == "theirs")
        .map(|row| Line { text: row.title.clone(), row: Some(row) })
        .collect();
    let heading = (!rows.is_empty()).then(|| Line { text: title.to_owned(), row: None });
    heading.into_iter().chain(rows).collect()
}
