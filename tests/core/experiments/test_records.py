from __future__ import annotations

import os
import uuid

import msgspec

from core.experiments.records import Beside, Exposure, Failure, Record, Refusal, new_prediction_id, prediction_moment

NOW = 1_760_000_000_123_456
MOMENT = prediction_moment(NOW)


def test_a_prediction_id_is_a_uuid_of_version_7_with_its_millisecond() -> None:
    for at in (NOW, 0, 2**58):
        made = uuid.UUID(new_prediction_id(prediction_moment(at)))
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == at // 1000 % 2**48


def test_prediction_ids_sort_by_time_and_are_random() -> None:
    ids = [new_prediction_id(prediction_moment(NOW + 1000 * i)) for i in range(1000)]
    assert ids == sorted(ids)
    same_moment = {new_prediction_id(MOMENT) for _ in range(1000)}
    assert len(same_moment) == 1000
    # Each of the 74 random bits is 1 in some id and 0 in another.
    bits = [uuid.UUID(name).int & (0xFFF << 64 | (1 << 62) - 1) for name in same_moment]
    ones = zeros = 0
    for number in bits:
        ones |= number
        zeros |= ~number
    assert ones == 0xFFF << 64 | (1 << 62) - 1
    assert zeros & ones == ones


def test_a_child_process_makes_other_prediction_ids_than_its_parent() -> None:
    new_prediction_id(MOMENT)  # random bits for later ids are there now
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, " ".join(new_prediction_id(MOMENT) for _ in range(100)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    others = os.read(reading, 1 << 16).decode().split()
    os.close(reading)
    os.close(writing)
    assert len({*others, *(new_prediction_id(MOMENT) for _ in range(100))}) == 200


def test_exposures_of_a_release_without_warnings_are_read() -> None:
    lines = (
        b'["exposure","p1",1,"exp","A","v1",null,null,"EUR/USD","1h","t:0","hold",0.5,0.5,null,412,false]\n'
        b'["exposure","p2",2,"exp","A","v1",null,null,"EUR/USD","1h","t:0","hold",0.5,0.5,null,412,false,["SPACING"]]\n'
    )
    old, new = msgspec.json.Decoder[Record](Record).decode_lines(lines)
    assert isinstance(old, Exposure)
    assert isinstance(new, Exposure)
    assert (old.warnings, new.warnings) == ((), ("SPACING",))


def test_records_of_requests_that_were_not_answered_have_their_own_tags() -> None:
    records = (Failure(1, "exp", "A"), Refusal(2, "exp", "B"), Beside(3, "exp", "without_user", 4))
    lines = b'["failure",1,"exp","A"]\n["refused",2,"exp","B"]\n["beside",3,"exp","without_user",4]\n'
    assert msgspec.json.Encoder().encode_lines(records) == lines
    assert tuple(msgspec.json.Decoder[Record](Record).decode_lines(lines)) == records
