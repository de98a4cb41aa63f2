from atelier_pipeline.simulator.agenda import Agenda, next_boundary

SECOND = 1_000_000_000


def recording(agenda, ran, name, then=()):
    def action(now):
        ran.append((name, now))
        for delay, later in then:
            agenda.at(now + delay, recording(agenda, ran, later))

    return action


def test_actions_run_in_order_of_time_and_then_of_addition():
    agenda, ran = Agenda(0), []
    for time_ns, name in ((20, "c"), (10, "a"), (10, "b")):
        agenda.at(time_ns, recording(agenda, ran, name))
    agenda.run_until(15)
    assert ran == [("a", 10), ("b", 10)]
    agenda.run_until(20)
    assert ran == [("a", 10), ("b", 10), ("c", 20)]


def test_an_action_may_add_another_that_is_due_before_the_time_reached():
    agenda, ran = Agenda(0), []
    agenda.at(10, recording(agenda, ran, "a", then=[(5, "b"), (100, "c")]))
    agenda.run_until(50)
    assert ran == [("a", 10), ("b", 15)]
    assert agenda.next_due() == 110


def test_time_does_not_go_back():
    agenda = Agenda(100)
    agenda.run_until(40)
    assert agenda.now == 100


def test_an_action_in_the_past_runs_now():
    agenda, ran = Agenda(100), []
    agenda.at(40, recording(agenda, ran, "late"))
    agenda.run_until(100)
    assert ran == [("late", 100)]


def test_catching_up_takes_one_slice_at_a_time():
    agenda = Agenda(0)
    agenda.catch_up(SECOND // 2)
    assert agenda.now == SECOND // 10
    agenda.catch_up(SECOND // 20)
    assert agenda.now == SECOND // 10


def test_catching_up_leaves_out_what_is_overdue_by_more_than_a_second():
    agenda, ran = Agenda(0), []

    def every_tenth(now):
        ran.append(now)
        agenda.at(now + SECOND // 10, every_tenth)

    agenda.at(1, every_tenth)
    agenda.catch_up(3600 * SECOND)
    assert agenda.now == 3599 * SECOND
    assert ran == [3599 * SECOND - SECOND // 10, 3599 * SECOND]


def test_the_next_boundary_is_after_the_time_even_on_a_boundary():
    assert [next_boundary(time_ns, 50) for time_ns in (0, 1, 49, 50, 51)] == [50, 50, 50, 100, 100]
