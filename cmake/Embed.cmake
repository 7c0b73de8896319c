# Turns a file into a C++ array: cmake -DINPUT= -DOUTPUT= -DNAMESPACE= -DSYMBOL= -P Embed.cmake
file(READ "${INPUT}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
file(WRITE "${OUTPUT}"
  "namespace ${NAMESPACE} {\n"
  "extern const char ${SYMBOL}Bytes[];\nextern const unsigned long ${SYMBOL}Size;\n"
  "const char ${SYMBOL}Bytes[] = {\n${bytes}};\n"
  "const unsigned long ${SYMBOL}Size = ${size};\n"
  "}  // namespace ${NAMESPACE}\n")
