// Words as corpus statistics and response metrics count them: sentence split, then the Treebank
// rules in the order that NLTK's word tokenizer applies them (clitics apart from their word,
// punctuation apart, a full stop apart only at a sentence's end). Published lengths, BLEU, ROUGE
// and CIDEr of this field rest on that convention; a different one moves them by whole points.
//
// Word tokens agree with NLTK sentence by sentence (measured on both corpora), up to one thing:
// beyond ASCII, "letter or digit" is decided by Unicode block rather than by a full table. NLTK up
// to 3.9 is meant: 3.10 parts opening apostrophes and dashes differently. Sentence ends are our own
// rule, because NLTK's Punkt is a trained model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace straq::dialogue {

// Sentences in order, without white space at their ends. A sentence ends after a run of . ? or !
// with the closing quotes and brackets that follow it, before white space. A single full stop does
// not end it after an abbreviation (Mr., e.g., p.m. and their like) or after one letter other than
// "i" (an initial; "I" is the pronoun).
std::vector<std::string> split_sentences(std::string_view text);

// Words of one sentence. Opening double quotes become `` and closing ones '', as in the Penn
// Treebank. Ill-formed UTF-8 is read as U+FFFD.
std::vector<std::string> tokenize_sentence(std::string_view sentence);

enum class Case { keep, lower };

// Words of a text: sentences, then words. Case::lower lowers the text first (`nltk_lower`, the
// response metrics' default).
std::vector<std::string> word_tokenize(std::string_view text, Case letters = Case::keep);

// How many words word_tokenize gives; faster.
std::int64_t word_count(std::string_view text);

}  // namespace straq::dialogue
