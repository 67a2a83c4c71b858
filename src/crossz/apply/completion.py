"""What completes the words of the command `crossz` in a shell: commands, options, choices, networks, and files."""

import argparse
import sys
from typing import Any

_SHELLS = ("bash", "zsh")
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
_NETWORKS = ("NETWORK",)  # the metavars behind which a network stands


def add(commands: Any) -> None:
    """Add the command that prints the script."""
    completion = commands.add_parser(
        "completion",
        help="completion of words for a shell",
        description='Print what completes the words of crossz. For bash, write into ~/.bashrc: eval "$(crossz completion bash)"; for zsh the same into ~/.zshrc.',
    )
    completion.add_argument("shell", choices=_SHELLS)
    completion.set_defaults(run=lambda options: _print(options.shell, commands.choices), level=0)


def _print(shell: str, commands: dict[str, argparse.ArgumentParser]) -> None:
    from crossz.apply.networks import shipped

    sys.stdout.write(script(shell, commands, list(shipped())))


def script(shell: str, commands: dict[str, argparse.ArgumentParser], networks: list[str]) -> str:
    """The script for bash or zsh, made of the parsers, so that it knows what they know.

    Parameters
    ----------
    shell
        bash or zsh, which takes the same function.
    commands
        Parser of each command.
    networks
        Names that stand for a network.
    """
    options, values, second = [], [], []
    for name, parser in commands.items():
        actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        options.append(f"    {name}) options={_quoted(word for one in actions for word in one.option_strings)} ;;")
        for action in actions:
            found = networks if action.metavar in _NETWORKS else list(action.choices or ())
            if found and action.option_strings:
                values.append(f"    {'|'.join(action.option_strings)}) values={_quoted(found)} ;;")
            elif found:
                second.append(f"    {name}) values={_quoted(found)} ;;")
    cases = {"options": options, "values": sorted(set(values)), "second": second}
    return (_ZSH if shell == "zsh" else "") + _FUNCTION.format(
        commands=" ".join(commands), **{name: "\n".join(lines) for name, lines in cases.items()}
    )


def _quoted(words: Any) -> str:
    return "'" + " ".join(map(str, words)) + "'"


_FUNCTION = """_crossz() {{
  local word="$2" before="$3" place="$COMP_CWORD" options='--help --version' values=''
  set -- "${{COMP_WORDS[@]}}"
  if [ "$place" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{commands} $options" -- "$word"))
    return
  fi
  case "$2" in
{options}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")); return ;;
  esac
  if [ "$place" -eq 2 ]; then
    case "$2" in
{second}
    esac
  fi
  case "$before" in
{values}
  esac
  COMPREPLY=($(compgen -W "$values" -- "$word"))
}}
complete -o default -o bashdefault -F _crossz crossz
"""
