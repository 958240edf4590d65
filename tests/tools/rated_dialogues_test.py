"""data_tools/rated_dialogues.py on small files in the two forms that it reads.

usage: rated_dialogues_test.py REPOSITORY
"""
import json
import pathlib
import subprocess
import sys
import tempfile

failures = 0


def check(text, good, detail=""):
    global failures
    print(("ok: " if good else "FAILED: ") + text)
    if not good:
        failures += 1
        print(detail)


def convert(kind, source, out):
    return subprocess.run([sys.executable, ROOT / "data_tools" / "rated_dialogues.py", kind, source, "--out",
                           out], capture_output=True, text=True)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def experts(work):
    head = "lend_id,empathy,annotation_method,empathetic_conversation_id,empathy,relevance,annotation_method"
    rows = ["x,1.0,expert1,c1,4.0,5.0,expert1", "y,1.0,expert1,c1,2.0,,expert2", ",,,c1,3.0,4.0,experts",
            ",,,c1,5.0,5.0,gpt"]
    (work / "combined_annotations_across_methods_and_datasets.csv").write_text("\n".join([head, *rows]) + "\n")
    (work / "sample_empatheticdialogues.csv").write_text(
        'conv_id,context,prompt,full_conversation\n'
        'c1,sad,My dog_comma_ it died,"Seeker: It died. \n Seeker: My dog. \n Supporter: Oh_comma_ no."\n')
    done = convert("empathic_judging", work, work / "out" / "rated.jsonl")
    check("experts' ratings are taken", done.returncode == 0, done.stderr)
    check("and only theirs", lines(work / "out" / "rated.jsonl") == [
        {"id": "c1", "emotion": "sad", "situation": "My dog, it died",
         "turns": [{"speaker": "seeker", "text": "It died. My dog."}, {"speaker": "supporter", "text": "Oh, no."}],
         "ratings": {"expert1": {"empathy": 4.0, "relevance": 5.0}, "expert2": {"empathy": 2.0}}}],
          (work / "out" / "rated.jsonl").read_text())
    (work / "sample_empatheticdialogues.csv").write_text("conv_id,context,prompt,full_conversation\n")
    done = convert("empathic_judging", work, work / "none.jsonl")
    check("a rated dialogue that is not there is named", done.returncode == 2 and "c1" in done.stderr
          and not (work / "none.jsonl").exists(), done.stderr)


def persons(work):
    item = {"dialogue_id": "7", "emotion": "Sad", "episode": "e",
            "subjective_evaluation": {"empathy": 4.0, "stylistic_similarity": 1.0},
            "objective_evaluation": {"empathy": 3.0, "empathy_scores": [2.0, 4.0]},
            "dialogue": [{"speaker": "Human", "message": "Hi"}, {"speaker": "Bot", "message": " Yes? "}]}
    (work / "duo.jsonl").write_text(json.dumps(item) + "\n")
    done = convert("duo", work / "duo.jsonl", work / "duo_out.jsonl")
    check("persons' ratings are taken", done.returncode == 0 and lines(work / "duo_out.jsonl") == [
        {"id": "7", "emotion": "sad", "situation": "e",
         "turns": [{"speaker": "seeker", "text": "Hi"}, {"speaker": "supporter", "text": "Yes?"}],
         "ratings": {"own": {"empathy": 4.0}, "other1": {"empathy": 2.0}, "other2": {"empathy": 4.0}}}],
          done.stderr)
    done = convert("duo", work / "nowhere.jsonl", work / "x.jsonl")
    check("a file that is not there is one message", done.returncode == 2 and "hint" in done.stderr, done.stderr)


ROOT = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    experts(pathlib.Path(folder))
    persons(pathlib.Path(folder))
sys.exit(1 if failures else 0)
