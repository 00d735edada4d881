"""What people tell of a device, as it stands on the wire."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alerts.inventory import DeviceFacts
from core.wire.topics import WORD

# Commas separate values in matchers, and control characters are in no name.
_Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f,]{1,64}$")]
_Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Figure = Annotated[float, Field(allow_inf_nan=False)]
# Empty, or what the emergency plan takes as the name of a contact (emergency/plan.py).
_Contact = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?)?$")]
_FigureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class Facts(BaseModel):
    """The standing facts of a device; whatever is left out is unknown. The device itself sends none of it."""

    model_config = ConfigDict(extra="forbid")

    name_zh: _Name = Field(default="", description="What people call it and where it is, in Chinese.")
    name_en: _Name = Field(default="", description="The same in English.")
    building: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f,]{0,64}$")] = ""
    gateway: Annotated[str, Field(pattern=f"^({WORD.pattern})?$")] = Field(
        default="", description="The gateway of the same community through which it speaks."
    )
    tags: list[_Label] = Field(default=[], max_length=32, description="In order, each once.")
    numbers: dict[_FigureName, _Figure] = Field(
        default={}, max_length=64, description="Rated figures with the unit in the name: `rated_load_kilograms`."
    )

    retired: bool = Field(
        default=False, description="Taken out of service: its silence raises nothing; what it says still does."
    )
    rescue_code: Annotated[str, Field(pattern=r"^([0-9]{6})?$")] = Field(
        default="", description="The six digits by which the city's hotline 96333 knows the lift."
    )
    contractor: _Contact = Field(
        default="", description="Who maintains it: the name of a contact of the emergency plan."
    )

    @classmethod
    def of(cls, facts: DeviceFacts) -> "Facts":
        """Return ``facts``, which were checked when they were told, without checking them again."""
        return cls.model_construct(
            name_zh=facts.name_zh,
            name_en=facts.name_en,
            building=facts.building,
            gateway=facts.gateway,
            tags=sorted(facts.tags),
            numbers=facts.numbers,
            retired=facts.retired,
            rescue_code=facts.rescue_code,
            contractor=facts.contractor,
        )

    def told(self) -> DeviceFacts:
        """Return the facts as the domain keeps them."""
        return DeviceFacts(
            name_zh=self.name_zh,
            name_en=self.name_en,
            building=self.building,
            gateway=self.gateway,
            tags=frozenset(self.tags),
            numbers=self.numbers,
            retired=self.retired,
            rescue_code=self.rescue_code,
            contractor=self.contractor,
        )
