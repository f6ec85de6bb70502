# bash completion for davit(1): davit itself says what a word may become
_davit() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} words word
    # COMP_WORDS would be cut at ":" and "=", which names of images and options have.
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[-1]}
    IFS=$'\n'
    COMPREPLY=($(compgen -W "$("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)" -- "$word"))
    # What bash replaces begins behind the last of those.
    [[ $word == *[:=]* ]] && COMPREPLY=("${COMPREPLY[@]#"${word%[:=]*}"[:=]}")
}
complete -o default -F _davit davit
