# SPDX-License-Identifier: BSD-2-Clause
"""A site is drained by measurement, under a crowd of clients that keep habits of their own: what they feel of it.

    lab_drain.py [--quick] [--only SCENE,faults:CASE,...]

Scenes (site_drain_scenes.py; each with a world of its own, site_drain_world.py):

scheduled  the drain by the clock, without a backup: what the others are compared with
drain      site ams is drained with a TTL of 5 s, its backup serves the late clients; then it is taken back
default    the same with the default TTLs
squeeze    a receiver's capacity is cut to 60 % during the drain: the operation holds; the same with its guards overridden
squeeze_hidden  a receiver's backends take 60 %, and no configuration says so: what is lost holds the operation
owner      the owner of an operation is killed; another node goes on by itself
cut        a node, then the owner, is cut off from the others' management
double     a drained site is powered off, then another one dies
majority   the site that has two of the store's three members is killed: what the others answer
backup     all own backends of a site die, and its backup serves
mutual     two sites that back each other up are drained both
faults     bad input, and what happens around an operation (site_drain_faults.py)

--quick plays `double` with a drain in one step. Figures of the long form: build/lab/drain.json, by key and as the list `figures` of
{key, value, target, met}; a figure that was not measured has value null.
"""
from __future__ import annotations

import argparse
import os
import sys
import typing

from net import BUILD, say
from report import Report
from site_drain_figures import Figures
from site_drain_scenes import QUICK, SCENES, one_fault


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run lab drain", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--only", default="", help=f"some of: {', '.join(SCENES)}; faults:CASE plays one case")
    return parser.parse_args()


def chosen_scenes(options: argparse.Namespace) -> list[typing.Callable[[Report, Figures], None]]:
    if options.quick:
        return list(QUICK)
    return [scene_named(name) for name in (options.only.split(",") if options.only else SCENES)]


def scene_named(name: str) -> typing.Callable[[Report, Figures], None]:
    scene, _, case = name.partition(":")
    return one_fault(case) if case else SCENES[scene]


def run(report: Report) -> None:
    options = read_options()
    figures = Figures(report)
    for scene in chosen_scenes(options):
        say(f"--- {scene.__name__}: {(scene.__doc__ or '').splitlines()[0]}")
        report.step(scene, report, figures)
    path = os.path.join(BUILD, "lab", "drain-quick.json" if options.quick else "drain.json")
    figures.write(path, keep=bool(options.only))
    say(f"{path}:")
    figures.show()


if __name__ == "__main__":
    sys.exit(Report.main(run))
