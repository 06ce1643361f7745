"""The stand-in: IRIS's command surface, answered over a real M database (GT.M).

Nothing in the harness imports this package; it is reached only as IRIS is, through the commands in `bin/`.
It uses the standard library alone, so that `iris` starts fast and can be run by any Python 3.11.

    bin/iris      the command people and scripts call; a thin client, a few milliseconds
    commands      what it does when no instance answers: create, list, start, force …
    control       the control process of one running instance; owns its state
    backup        Backup.General: freeze, thaw, their logs and timers
    agent         the verbs of Harness.Agent (see harness/instance/agent/protocol.md)
    call          a class call as it is typed in a shell → class, method, arguments
    journals      GT.M journal files under IRIS's names, their chain and marker
    journal_file  the same files as bytes: where records begin, the last transactions
    merge         a CPF merge file: what it asks for is checked against what there is
    accounts      who may log in, where an instance asks
    licence       how many sessions there may be, where an instance has a limit
    gtm           every mupip, mumps and dse call
    layout        folders, iris.cpf, the registry of instances, messages.log

What the stand-in cannot show, because GT.M differs from IRIS:

* IRIS writes uncommitted data to its database files and rolls it back from journals at restore. GT.M writes
  a transaction only when it commits, so no restore here ever has something to roll back.
* A GT.M freeze and a GT.M thaw always switch the journal. With SwitchJournalFile=0 the log prints no switch
  and no marker, as asked, but a new journal file begins all the same.
* The marker is the place where the journal's first record after the freeze begins, kept in journal.log; it is
  not a record of its own. Roll-forward can begin only there, and can stop only where a journal file begins.
* There is no write image journal, no mirror, no ECP, and one user: whoever owns the files. Accounts and a limit of
  sessions are there only where an instance is made with them.
* Journals are one stream per database. `20261122.003` is the stream of the first database and
  `20261122.003.two` that of the second; both carry one IRIS journal.
"""
