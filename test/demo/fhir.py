"""Synthetic documents in the formats of the field: HL7 FHIR R4 resources and small JSON of an app's own.

Everything is invented: no text, person or number here belongs to anybody. Each function returns bytes, the
plaintext that a device would hand to its backend. Codes are LOINC's for the two questionnaires.
"""

import base64
import json
import random

LOINC = "http://loinc.org"

# (code, our own short label) of each item; the total score comes after them.
PHQ9_PANEL = "44249-1"
PHQ9_ITEMS = (
    ("44250-9", "Interest or pleasure"),
    ("44255-8", "Low mood"),
    ("44259-0", "Sleep"),
    ("44254-1", "Energy"),
    ("44251-7", "Appetite"),
    ("44258-2", "View of oneself"),
    ("44252-5", "Concentration"),
    ("44253-3", "Slowed down or restless"),
    ("44260-8", "Thoughts of death or self-harm"),
)
PHQ9_TOTAL = "44261-6"

GAD7_PANEL = "69737-5"
GAD7_ITEMS = (
    ("69725-0", "Nervous or on edge"),
    ("68509-9", "Worry that cannot be stopped"),
    ("69733-4", "Worry about many things"),
    ("69734-2", "Trouble relaxing"),
    ("69735-9", "Restlessness"),
    ("69689-8", "Irritability"),
    ("69736-7", "Fear that something awful may happen"),
)
GAD7_TOTAL = "70274-6"

FREQUENCY = (
    ("LA6568-5", "Not at all"),
    ("LA6569-3", "Several days"),
    ("LA6570-1", "More than half the days"),
    ("LA6571-9", "Nearly every day"),
)

# The six steps of a Stanley-Brown safety plan, each with entries that a person might write.
SAFETY_STEPS = (
    ("Warning signs", ("I stop answering messages", "I lie awake after three", "I skip meals",
                       "Everything feels grey")),
    ("Internal coping strategies", ("Walk around the block", "Breathe four in, six out", "Cold water on my hands",
                                    "Play the old record")),
    ("People and social settings for distraction", ("The climbing hall", "Coffee place at the corner",
                                                    "Board game evening", "The dog park")),
    ("People to ask for help", ("My sister", "A friend from work", "My neighbour", "Peer group")),
    ("Professionals and agencies", ("My therapist at the clinic", "Nearest emergency department")),
    ("Making the environment safe", ("Medication stays with my sister", "Key of the cabinet is at my neighbour's",
                                     "No alcohol at home")),
)
CRISIS_LINE = "988 Suicide and Crisis Lifeline: call or text 988, at any hour"

SENTENCES = (
    "Slept better than last week.", "The meeting was harder than I thought it would be.",
    "I wrote the letter and did not send it.", "Went out before breakfast, the air helped.",
    "Called back the person I have been avoiding.", "Tired, but not the heavy kind of tired.",
    "Tried the breathing exercise twice.", "Cooked something real for once.",
    "There was a moment in the afternoon that felt light.", "I noticed the thought and let it pass.",
    "The evening was quiet.", "I was short with everyone and I know why.",
    "Music on the way home.", "Next time I will leave earlier.", "Three good things: tea, rain, a joke.",
)

_FILLER = random.Random(20240917).randbytes(1 << 20)     # attachments are slices of it: nothing compresses


def _pack(resource):
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()


def _coding(code, display):
    return {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display}


def _answers(rng, items, severity):
    """Scores 0-3 around a severity of 0.0-1.0, one for each item."""
    return [min(3, max(0, round(rng.gauss(severity * 3, 0.8)))) for _ in items]


def _questionnaire(panel, items, total_code, scores, patient, when, doc_id):
    answered = []
    for (code, label), score in zip(items, scores):
        answer, display = FREQUENCY[score]
        answered.append({
            "linkId": "/" + code,
            "definition": f"{LOINC}/{code}",
            "text": label,
            "answer": [{"valueCoding": {
                "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": score}],
                "system": LOINC, "code": answer, "display": display}}],
        })
    answered.append({"linkId": "/" + total_code, "text": "Total score", "answer": [{"valueInteger": sum(scores)}]})
    return _pack({
        "resourceType": "QuestionnaireResponse",
        "id": doc_id,
        "questionnaire": f"{LOINC}/q/{panel}",
        "status": "completed",
        "subject": {"reference": "Patient/" + patient},
        "authored": when,
        "source": {"reference": "Patient/" + patient},
        "item": answered,
    })


def phq9(rng, patient, when, doc_id, severity):
    """A PHQ-9 as a QuestionnaireResponse, and the score of its ninth item, which an app must react to."""
    scores = _answers(rng, PHQ9_ITEMS, severity)
    scores[8] = max(0, scores[8] - 2)
    return _questionnaire(PHQ9_PANEL, PHQ9_ITEMS, PHQ9_TOTAL, scores, patient, when, doc_id), scores[8]


def gad7(rng, patient, when, doc_id, severity):
    """A GAD-7 as a QuestionnaireResponse."""
    scores = _answers(rng, GAD7_ITEMS, severity)
    return _questionnaire(GAD7_PANEL, GAD7_ITEMS, GAD7_TOTAL, scores, patient, when, doc_id)


def safety_plan(rng, patient, when, doc_id, note=None):
    """A Stanley-Brown safety plan as a CarePlan: six steps, one activity each."""
    activities = []
    for number, (title, entries) in enumerate(SAFETY_STEPS, start=1):
        chosen = rng.sample(entries, k=rng.randint(1, len(entries)))
        if number == 5:
            chosen.append(CRISIS_LINE)
        activities.append({"detail": {
            "kind": "Task",
            "code": {"text": f"Step {number}: {title}"},
            "status": "in-progress",
            "doNotPerform": False,
            "description": "; ".join(chosen),
        }})
    plan = {
        "resourceType": "CarePlan",
        "id": doc_id,
        "status": "active",
        "intent": "plan",
        "category": [{"text": "Safety plan"}],
        "title": "Safety plan (Stanley-Brown, six steps)",
        "subject": {"reference": "Patient/" + patient},
        "created": when,
        "activity": activities,
    }
    if note:
        plan["note"] = [{"time": when, "text": note}]
    return _pack(plan)


def mood(rng, patient, when, doc_id, severity):
    """One mood rating from 0 to 10 as an Observation, now and then with a sentence."""
    rating = min(10, max(0, round(rng.gauss(10 - severity * 8, 1.5))))
    observation = {
        "resourceType": "Observation",
        "id": doc_id,
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                  "code": "survey"}]}],
        "code": {"text": "Mood, self-rated from 0 (worst) to 10 (best)"},
        "subject": {"reference": "Patient/" + patient},
        "effectiveDateTime": when,
        "valueInteger": rating,
    }
    if rng.random() < 0.3:
        observation["note"] = [{"text": rng.choice(SENTENCES)}]
    return _pack(observation)


def session_state(rng, session, step, steps, when):
    """The running state of a guided session: small, overwritten at every checkpoint."""
    return _pack({
        "session": session,
        "kind": "guided_exercise",
        "step": step,
        "of": steps,
        "at": when,
        "media_position_ms": rng.randint(0, 600_000),
        "answers": [rng.randint(0, 4) for _ in range(step)],
        "draft": rng.choice(SENTENCES),
    })


def journal(rng, when, doc_id):
    """A page of a journal: 200 bytes to about 3 KiB."""
    lines = [rng.choice(SENTENCES) for _ in range(min(70, 3 + int(rng.expovariate(1 / 9))))]
    return _pack({"kind": "journal", "id": doc_id, "at": when, "text": " ".join(lines)})


def library(rng, doc_id):
    """An attachment as a Binary: 4 to 32 KiB on the wire, most of them small."""
    size = min(24_000, 3_000 + int(rng.expovariate(1 / 6_000)))
    start = rng.randrange(len(_FILLER) - size)
    return _pack({
        "resourceType": "Binary",
        "id": doc_id,
        "contentType": rng.choice(("image/jpeg", "audio/ogg", "application/pdf")),
        "data": base64.b64encode(_FILLER[start:start + size]).decode(),
    })


def housekeeping(rng, when):
    """What an app tells about itself while it charges: no person in it, nothing urgent."""
    return _pack({
        "kind": "housekeeping",
        "at": when,
        "app": f"4.{rng.randint(0, 9)}.{rng.randint(0, 30)}",
        "cache_kib": rng.randint(200, 90_000),
        "battery": rng.randint(5, 100),
        "unsent": 0,
        "checks": {"storage": "ok", "clock_skew_ms": rng.randint(-900, 900)},
    })
