"""What the API is given over a real records database."""

from dataclasses import replace

from api.dependencies import Dependencies
from storage.records import (
    AlertActsAdapter,
    CallPointsAdapter,
    CallRecordsAdapter,
    CodesAdapter,
    ControllerCodesAdapter,
    DeskRecordsAdapter,
    OutboxAdapter,
    PersonTestsAdapter,
    QualityAdapter,
    RecordsAdapter,
    RecordsDatabase,
    RegistryAdapter,
    RotaOverridesAdapter,
    RuleBookAdapter,
    SuppressionsAdapter,
)
from tests.unit.api.calling import switchboard
from tests.unit.api.world import World, dependencies


def over_records(world: World, database: RecordsDatabase) -> Dependencies:
    """Return ``world`` with ``database`` in place of all its records; tokens and the rules in force stay its own."""
    outbox, calls = OutboxAdapter(database, world.clock), CallRecordsAdapter(database, world.clock)
    given = dependencies(world)
    return replace(
        given,
        records=RecordsAdapter(database),
        acts=AlertActsAdapter(database),
        suppressions=SuppressionsAdapter(database, world.clock),
        registry=RegistryAdapter(database),
        quality=QualityAdapter(database),
        codes=CodesAdapter(database),
        outbox=outbox,
        tests=outbox,
        person_tests=PersonTestsAdapter(database),
        receivers=DeskRecordsAdapter(database, world.clock),
        rota=RotaOverridesAdapter(database),
        rule_book=RuleBookAdapter(database),
        emergency=replace(
            given.emergency,
            calls=switchboard(calls, world.clock),
            reader=calls,
            points=CallPointsAdapter(database, given.emergency.tokens),
            codes=ControllerCodesAdapter(database),
        ),
    )
