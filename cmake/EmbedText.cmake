# Writes OUT, a C++ source that defines the string NAME of straq::report with the text of IN.
# The text must not hold the closing mark of the raw string: )embedded" would end it early.
file(READ ${IN} text)
string(FIND "${text}" ")embedded\"" at)
if(NOT at EQUAL -1)
  message(FATAL_ERROR "${IN} holds )embedded\", which ends the raw string that it would become")
endif()
get_filename_component(from ${IN} NAME)
file(WRITE ${OUT} "// Made from ${from}.\n"
  "namespace straq::report {\nextern const char* const ${NAME};\n"
  "const char* const ${NAME} = R\"embedded(${text})embedded\";\n}  // namespace straq::report\n")
