"""The floor stays comparable: its databases and its freeze are those of the stand-in."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent
FLOOR = (ROOT / "bench" / "floor.sh").read_text()


def _stand_in() -> str:
    return (ROOT / "harness" / "standin" / "gtm.py").read_text()


def test_database_settings_are_those_of_the_stand_in() -> None:
    """Segments, regions and names are equal, line for line."""
    (theirs,) = re.findall(r'_GDE = f"""\\\n(.*?)"""', _stand_in(), re.DOTALL)
    (segment,) = re.findall(r'_SEGMENT = "(.*?)"', _stand_in())
    (ours,) = re.findall(r"<<GDE\n(.*?)GDE\n", FLOOR, re.DOTALL)
    segment = segment.replace("{buffers}", "8192")
    assert theirs.replace("{_SEGMENT}", segment) + "exit\n" == ours.replace("$segment", segment).replace(
        r"\$", "$"
    )
    assert f'local segment="{segment}"' in FLOOR


def test_journal_options_are_those_of_the_stand_in() -> None:
    """Before images, switch limit and epochs decide what journaling costs."""
    (options,) = re.findall(r"options = f'before,file=.*?,(autoswitchlimit.*?)'", _stand_in())
    assert f"-journal=enable,on,before,$file,{options}" in FLOOR


def test_the_writer_takes_what_the_floor_passes() -> None:
    """RVWORK's parameters in the floor's order: writer, writers, seed, first, count, seconds, commit, pace."""
    routine = (ROOT / "harness" / "instance" / "agent" / "RVWORK.m").read_text()
    assert "\nwrite(w,ws,seed,first,count,seconds,commit,pace) ;" in routine
    assert r"do write^RVWORK($writer,$1,$2,1,$share,600,\"buffered\",0)" in FLOOR


def test_the_freeze_is_that_of_the_stand_in() -> None:
    """The same mupip call on both sides."""
    (words,) = re.findall(r'mupip\("freeze", "-on", (.*?), "\*"', _stand_in())
    assert "freeze -on " + words.replace('"', "").replace(",", "") + ' "*"' in FLOOR


def test_the_load_pays_for_nothing_that_is_no_backup() -> None:
    """What writers print goes into no file and through no other program; one process looks how far they are, as often
    as the harness looks.
    """
    (load,) = re.findall(r"^load\(\) \{.*?^\}", FLOOR, re.DOTALL | re.MULTILINE)
    assert ">/dev/null &" in load and "|" not in load
    (every,) = re.findall(r"LOOK_EVERY_S = ([\d.]+)", (ROOT / "harness/stages/load.py").read_text())
    assert f"hang {every}" in FLOOR and "tail -" not in FLOOR.partition("collect()")[0].partition("load()")[2]
