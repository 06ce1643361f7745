"""Users' own freeze and thaw scripts, checked apart from any run of the harness. `harness.lint` only reads them.

check       runs them in every situation that hurts: the order of a check
scenarios/  the situations, by family
scene/      one situation: a machine, instances in it, and what the scripts' caller does
machine/    what stands in the machine in the place of `iris`, `su`, `logger` and a snapshot program
install     puts these and the scripts into it
guard       ends a machine that takes too much
processes   what /proc says of processes and memory
rules       what a right script does, held against what was seen
model, suite, arguments, report     what is given, seen and said
init        writes scripts that are right, made of reference/
"""
