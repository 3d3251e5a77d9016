//! BBR over a path that loses by chance, beside itself and beside CUBIC, and what it does when.
//! `cargo test --release -p netloom-sim --test bbr -- --ignored --nocapture` prints how it went.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use netloom_sim::{
    Bottleneck, Bulk, BulkReport, Flow, HostSetup, Sim, TcpListener, TcpStream, mbit, ms, secs,
    sleep, spawn,
};

/// Flows that send for a time, each beginning so much after the one before.
fn together(
    path: Bottleneck,
    flows: &[&'static str],
    apart: Duration,
    time: Duration,
) -> BulkReport {
    let mut bulk = Bulk::timed(path, flows[0], time);
    bulk.flows = (0..)
        .zip(flows)
        .map(|(number, congestion)| Flow {
            congestion,
            start: apart * number,
            octets: None,
        })
        .collect();
    let report = bulk.run();
    assert!(report.is_intact());
    report
}

/// Megabits a second of each flow between two moments.
fn shares(report: &BulkReport, from: Duration, to: Duration) -> Vec<f64> {
    let flows = report.flows.iter();
    flows
        .map(|flow| flow.goodput_between(from, to) / 1e6)
        .collect()
}

/// Jain's index.
fn fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn losses_by_chance_do_not_hold_it_up() {
    // 100 Mbit/s, 100 ms, 1 % lost: CUBIC is left what the square root formula allows, 1.4 Mbit/s
    // and a little. BBR has what the link carries of payload, 95.6 Mbit/s for 99 % of it, less
    // its start and its probes.
    let path = || Bottleneck {
        loss: 0.01,
        ..Bottleneck::new(mbit(100), ms(100))
    };
    let run = |congestion| together(path(), &[congestion], Duration::ZERO, secs(20));
    let bbr = shares(&run("bbr"), secs(3), secs(20))[0];
    let cubic = shares(&run("cubic"), secs(3), secs(20))[0];
    assert!(bbr > 88.0, "{bbr}");
    assert!(cubic < 10.0, "{cubic}");
}

#[test]
fn a_window_of_ten_thousand_segments_is_measured_like_any_other() {
    // 1 Gbit/s, 66 ms: with what the queue holds, 11 000 segments are in flight. Each is known by
    // itself: none tells a round trip that the path does not have, nor is sent again for another.
    let path = Bottleneck {
        loss: 0.000_03,
        reorder: 0.005,
        reorder_by: 3,
        ..Bottleneck::new(mbit(1_000), ms(66))
    };
    let report = together(path, &["bbr"], Duration::ZERO, ms(1_500));
    let [flow] = &report.flows[..] else {
        panic!("one flow");
    };
    for sample in &flow.samples {
        let srtt = sample.srtt;
        assert!(srtt == 0 || srtt >= 66_000, "{sample:?}");
    }
    let (again, lost) = (flow.retransmissions, report.lost() as u32);
    assert!(again <= lost + 10, "{again} sent again, {lost} lost");
}

#[test]
fn two_of_them_share() {
    let path = Bottleneck::new(mbit(50), ms(40));
    let report = together(path, &["bbr", "bbr"], secs(2), secs(40));
    let shares = shares(&report, secs(15), secs(40));
    assert!(fairness(&shares) > 0.9, "{shares:?}");
    assert!(shares.iter().sum::<f64>() > 45.0, "{shares:?}");
}

#[test]
fn it_leaves_cubic_its_part() {
    let path = Bottleneck::new(mbit(50), ms(40));
    let report = together(path, &["cubic", "bbr"], secs(2), secs(40));
    let shares = shares(&report, secs(15), secs(40));
    assert!(shares.iter().all(|share| *share > 7.5), "{shares:?}");
    assert!(shares.iter().sum::<f64>() > 45.0, "{shares:?}");
}

/// The states a flow of its own goes through on a path, each with when it began.
fn states(path: &Bottleneck, time: Duration) -> Vec<(Duration, &'static str)> {
    let mut world = Sim::with_seed(path.seed);
    let host = || {
        HostSetup::heap().tune(|tunables| {
            tunables
                .set_named("tcp_congestion_control", "bbr")
                .expect("it exists");
        })
    };
    let (client, server) = world.link_with(host(), host(), path.link());
    world.capture(netloom_sim::Capture::Off);
    let to = SocketAddr::new(world.ipv4(server), 80);
    world.spawn_background(server, async move {
        let stream = TcpListener::bind(80).unwrap().accept().await.unwrap().0;
        let mut buffer = vec![0; 65_536];
        while let Ok(1..) = stream.read(&mut buffer).await {}
    });
    let states = Rc::new(RefCell::new(Vec::new()));
    let told = states.clone();
    world.spawn_background(client, async move {
        let stream = Rc::new(TcpStream::connect(to).await.unwrap());
        let writer = stream.clone();
        spawn(async move { while writer.write_all(&[7; 65_536]).await.is_ok() {} });
        for tick in 0.. {
            if let Some(bbr) = stream.info().unwrap().bbr {
                let mut told = told.borrow_mut();
                let last: Option<&(Duration, &str)> = told.last();
                if last.is_none_or(|last| last.1 != bbr.state) {
                    told.push((ms(tick), bbr.state));
                }
            }
            sleep(ms(1)).await;
        }
    });
    world.run_for(time).unwrap();
    states.borrow().clone()
}

#[test]
fn what_it_does_when() {
    // 10 Mbit/s, 50 ms: a product of 62.5 kB, 43 segments. From a window of ten Startup doubles the
    // rate each round: after three it is full, and three more show that it grows no more.
    let states = states(&Bottleneck::new(mbit(10), ms(50)), secs(12));
    let find = |name: &str, from: Duration| {
        let mut all = states.iter();
        all.find(|(at, state)| *state == name && *at >= from)
            .map(|(at, _)| *at)
            .unwrap_or_else(|| panic!("no {name} after {from:?}: {states:?}"))
    };
    assert_eq!(states[0].1, "Startup");
    let drain = find("Drain", Duration::ZERO);
    assert!((ms(300)..ms(1_000)).contains(&drain), "{states:?}");
    let cruise = find("ProbeBW_CRUISE", drain);
    assert!(cruise - drain < ms(250), "{states:?}");
    // A probe each 2 to 3 s, which is less than 43 rounds take: refilling for a round, then up until
    // three rounds have shown that the rate does not grow.
    let refill = find("ProbeBW_REFILL", cruise);
    let up = find("ProbeBW_UP", refill);
    let down = find("ProbeBW_DOWN", up);
    assert!(
        (ms(1_950)..ms(3_100)).contains(&(refill - cruise)),
        "{states:?}"
    );
    assert!((ms(50)..ms(110)).contains(&(up - refill)), "{states:?}");
    assert!((ms(150)..ms(400)).contains(&(down - up)), "{states:?}");
    // Five seconds after the last time that the round trip was as short, for 200 ms and a round,
    // and what it takes until so little is in flight.
    let probe_rtt = find("ProbeRTT", down);
    assert!((ms(5_000)..ms(5_300)).contains(&probe_rtt), "{states:?}");
    let cruise = find("ProbeBW_CRUISE", probe_rtt);
    assert!(
        (ms(200)..ms(350)).contains(&(cruise - probe_rtt)),
        "{states:?}"
    );
    let again = find("ProbeRTT", cruise);
    assert!(
        (ms(5_000)..ms(5_300)).contains(&(again - cruise)),
        "{states:?}"
    );
}

#[test]
#[ignore = "prints"]
fn how_it_went() {
    let var = |name: &str, or: f64| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let path = Bottleneck {
        loss: var("LOSS", 0.01),
        buffer: var("BUFFER", 1.0),
        seed: var("SEED", 1.0) as u64,
        ..Bottleneck::new(
            mbit(var("MBIT", 100.0) as u64),
            Duration::from_secs_f64(var("RTT", 100.0) / 1e3),
        )
    };
    let flows = std::env::var("FLOWS").unwrap_or("bbr".into());
    let flows: Vec<&'static str> = flows
        .split(',')
        .map(|name| {
            ["bbr", "cubic", "reno"]
                .into_iter()
                .find(|known| *known == name)
        })
        .map(|known| known.expect("bbr, cubic or reno"))
        .collect();
    let time = secs(var("TIME", 20.0) as u64);
    let apart = Duration::from_secs_f64(var("APART", 0.0));
    let report = together(path.clone(), &flows, apart, time);
    for second in 0..time.as_secs() {
        let of = shares(&report, secs(second), secs(second + 1));
        let windows: Vec<(u32, u32)> = report
            .flows
            .iter()
            .filter_map(|flow| flow.samples.iter().rfind(|s| s.at <= secs(second + 1)))
            .map(|sample| (sample.cwnd, sample.srtt))
            .collect();
        println!("{second:3} {of:7.2?} {windows:?}");
    }
    println!("{:.2?} from 3 s on", shares(&report, secs(3), time));
    println!("{:?} lost {}", report.retransmissions(), report.lost());
    if flows == ["bbr"] && var("STATES", 0.0) > 0.0 {
        println!("{:?}", states(&path, time));
    }
}
