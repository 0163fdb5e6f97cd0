"""The commands. To add one, write its module, which defines COMMAND, and name it here."""

COMMANDS = {
    "embed": "elmo_beam.pipeline.commands.embed",
    "plan": "elmo_beam.pipeline.commands.plan",
    "train": "elmo_beam.pipeline.commands.train",
    "evaluate": "elmo_beam.pipeline.commands.evaluate",
    "elmo": "elmo_beam.pipeline.commands.elmo",
    "verify": "elmo_beam.pipeline.commands.verify",
    "report": "elmo_beam.pipeline.commands.report",
    "export": "elmo_beam.pipeline.commands.export",
    "models": "elmo_beam.pipeline.commands.models",
    "inspect": "elmo_beam.pipeline.commands.inspect",
}
