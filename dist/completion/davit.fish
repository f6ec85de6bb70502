# fish completion for davit(1): davit itself says what a word may become
complete -c davit -f -a '(davit __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
complete -c davit -n '__fish_seen_subcommand_from cp import load save' -F
