use super::*;

#[test]
fn ticks_are_round_and_within() {
    assert_eq!(
        ticks(10.0, 5.0).collect::<Vec<_>>(),
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    );
    let many: Vec<f64> = ticks(0.37, 4.0).collect();
    assert_eq!(many.len(), 4);
    assert!(many.iter().all(|tick| *tick <= 0.37));
}

#[test]
fn numbers_are_short() {
    for (value, text) in [
        (0.0, "0"),
        (0.05, "0.05"),
        (12.0, "12"),
        (1500.0, "1.5k"),
        (2e6, "2M"),
        (3.25e9, "3.25G"),
    ] {
        assert_eq!(short(value), text);
    }
}

#[test]
fn marks_lie_in_the_panel_and_names_are_escaped() {
    let style = Style {
        color: "#000000",
        width: 1.0,
        name: "a<b",
    };
    let panel = Panel {
        name: "x & y".to_owned(),
        height: 100.0,
        marks: vec![(
            style,
            Marks::Strokes(vec![(0.0, 0.0, 50.0), (2.0, 50.0, 100.0)]),
        )],
    };
    let picture = draw("a > b", 2.0, &[panel]);
    assert!(picture.contains("a &gt; b") && picture.contains("x &amp; y"));
    assert!(picture.contains("a&lt;b"));
    // From the left axis to the right end; the highest value a little below the top.
    assert!(
        picture.contains("d=\"M80.0 180.0V131.9M1180.0 131.9V83.8\""),
        "{picture}"
    );
}

#[test]
fn marks_that_hide_each_other_are_drawn_once() {
    let style = Style {
        color: "#000000",
        width: 1.0,
        name: "",
    };
    let points = vec![(1.0, 5.0); 1000];
    let panel = |marks| Panel {
        name: String::new(),
        height: 100.0,
        marks: vec![(style, marks)],
    };
    let one = draw("", 2.0, &[panel(Marks::Dots(points[..1].to_vec()))]);
    assert_eq!(draw("", 2.0, &[panel(Marks::Dots(points))]), one);
}
