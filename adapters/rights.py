"""What an account and its key may do, compared with what is to be done with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.capabilities import VenueDescription
from engine.instrument import InstrumentKind
from engine.values import InstrumentName


class PolicyRefused(Exception):
    """An account or a key may not do what the configuration wants, or may do more than it should (exit 77).

    No fault of the program and none of the network: asking again changes nothing, somebody has to change the key's
    rights or the configuration.
    """


def faults_of_rights(
    description: VenueDescription, traded: Collection[InstrumentName], *, allow_withdrawal: bool
) -> Iterator[str]:
    """Why these rights are refused, each reason in a sentence; none where they fit, or where the venue does not tell.

    `traded` are the instruments that the configuration names at this venue.
    """
    rights = description.rights
    if rights is None:
        return
    if rights.may_withdraw and not allow_withdrawal:
        yield (
            "the key may withdraw: what this machine loses is then lost. Make a key without that right, "
            "or write allow_withdrawal_rights = true"
        )
    if rights.may_trade is False:
        yield f"the account {description.account} or its key may not trade"
    kinds = {word.lower() for word in rights.asset_classes} & {str(kind) for kind in InstrumentKind}
    for instrument in description.instruments:
        is_of_another_kind = bool(kinds) and instrument.kind not in kinds
        if instrument.name in traded and (is_of_another_kind or instrument.name in rights.barred):
            yield (
                f"the account {description.account} may not trade {instrument.name}, which is {instrument.kind}: "
                f"it has {', '.join(rights.asset_classes)}"
            )
