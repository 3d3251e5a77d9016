use super::*;

#[test]
fn questions_and_answers_are_what_the_documentation_shows() {
    let question = Question {
        version: VERSION,
        ask: Ask::Sockets,
    };
    let text = serde_json::to_string(&question).unwrap();
    assert_eq!(text, r#"{"version":1,"ask":"sockets"}"#);
    for (said, meant) in [("0", "0"), (r#""bbr""#, "bbr")] {
        let ask = r#"{"version":1,"ask":{"set_tunable":{"name":"tcp_sack","value":VALUE}}}"#;
        let question = serde_json::from_str::<Question>(&ask.replace("VALUE", said)).unwrap();
        let Ask::SetTunable { name, value } = question.ask else {
            panic!("another question");
        };
        assert_eq!((name.as_str(), value.as_str()), ("tcp_sack", meant));
    }
    assert_eq!(serde_json::to_string(&Line::End).unwrap(), r#""end""#);
}

#[test]
fn what_a_later_release_adds_is_skipped() {
    let line = r#"{"socket":{"protocol":"tcp","state":"listen","local":"[::]:80",
        "remote":"[::]:0","recv_queue":1,"send_queue":128,"timer":null,"colour":"blue"}}"#;
    let Line::Socket(socket) = serde_json::from_str(line).unwrap() else {
        panic!("another line");
    };
    assert_eq!(
        (socket.state, socket.uid, socket.detail),
        (SocketState::Listen, 0, None)
    );
}

#[test]
fn states_have_linuxs_numbers() {
    for (number, state) in (1..).zip(SocketState::ALL) {
        assert_eq!(SocketState::of_number(number), Some(state));
        assert_eq!(state as u8, number);
    }
    assert_eq!(SocketState::of_number(0), None);
    assert_eq!(SocketState::of_number(12), Some(SocketState::SynReceived));
    assert_eq!(SocketState::of_number(13), None);
    for number in 1..=4 {
        assert_eq!(TimerKind::of_number(number).unwrap() as u8, number);
    }
    assert_eq!(TimerKind::of_number(5), None);
}
