// The live test: the microphone's samples go to the harness, which speaks them to the target as a caller of a run would.

const Talk = (() => {
  const at = (id) => document.getElementById(id);
  const NOW = {
    idle: "No call is open.",
    connecting: "Calling ...",
    ready: "The line is open: speak, or play a recording.",
    speaking: "What was said is being sent at the pace of a microphone; then the reply comes.",
    replying: "The reply is being played.",
    ended: "The call has ended.",
  };
  const MIC = {channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: false};
  let talk = null, post = null, url = null, mic = null, chunks = null, complaint = "", played = null, drawn = "";

  const open = () => talk && ["ready", "speaking", "replying"].includes(talk.status);

  const line = () => {
    if (complaint) return complaint;
    if (chunks) return chunks.length ? "Speak now; press Done at the end." : "The microphone is opened ...";
    return talk.failure && talk.status === "ended" ? `The call failed: ${talk.failure}` : NOW[talk.status];
  };

  const controls = () => {
    at("talk-now").textContent = line();
    at("talk-call").textContent = talk.status === "connecting" || open() ? "Hang up" : "Begin a call";
    at("talk-speak").disabled = !open() || !navigator.mediaDevices;
    at("talk-speak").textContent = chunks ? "Done" : "Speak";
    at("talk-speak").setAttribute("aria-pressed", chunks ? "true" : "false");
    at("talk-play").disabled = !open() || Boolean(chunks);
    at("talk-level").hidden = !chunks;
  };

  const tell = async (path, body) => {
    complaint = "";
    const reply = await post(path, body);
    if (!reply.ok) complaint = (await reply.text()).trim();
    controls();
  };

  const openMicrophone = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({audio: MIC});
    const context = new AudioContext({sampleRate: talk.rate_hz});
    await context.audioWorklet.addModule(url("recorder.js"));
    const node = new AudioWorkletNode(context, "recorder", {numberOfOutputs: 0});
    context.createMediaStreamSource(stream).connect(node);
    node.port.onmessage = ({data}) => {
      if (!chunks) return;
      chunks.push(data);
      if (chunks.length % 8 === 1) {
        at("talk-level").value = Math.min(1, 4 * Math.sqrt(data.reduce((sum, each) => sum + each * each, 0) / data.length));
        controls();
      }
      if (chunks.length * data.length > talk.most_s * talk.rate_hz) speak();
    };
    return {stream, context};
  };

  const closeMicrophone = () => {
    if (!mic) return;
    for (const track of mic.stream.getTracks()) track.stop();
    mic.context.close();
    mic = null;
    chunks = null;
  };

  const samples = () => {
    const whole = new Int16Array(chunks.reduce((sum, each) => sum + each.length, 0));
    let place = 0;
    for (const chunk of chunks) for (const value of chunk) whole[place++] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
    return whole;
  };

  const speak = async () => {
    complaint = "";
    if (chunks) {
      const body = samples();
      chunks = null;
      await tell("talk/say", body);
      return;
    }
    at("talk-audio").pause();
    chunks = [];
    controls();
    try {
      mic = mic || await openMicrophone();
    } catch (error) {
      chunks = null;
      complaint = `The microphone cannot be used: ${error.message}.`;
    }
    controls();
  };

  // One turn

  const SVG_WIDTH = 640, BAR = 22;
  const waterfall = (turn) => {
    const marks = turn.marks.filter((mark) => mark.name !== "reply_heard_ms" && mark.at_ms >= 0);
    const audible = marks.find((mark) => mark.name === "first_audible_ms") || marks[marks.length - 1];
    if (!audible) return make("p", "No milestone of a reply was reached.", "small soft");
    const part = make("div"), end = Math.max(1, audible.at_ms * 1.15), x = (ms) => Math.min(SVG_WIDTH, SVG_WIDTH * ms / end);
    const svg = draw("svg", {viewBox: `0 0 ${SVG_WIDTH} ${BAR}`, role: "img", preserveAspectRatio: "none", class: "waterfall"});
    const said = marks.map((mark) => `${mark.title} ${number(mark.at_ms)} ms`).join(", ");
    svg.setAttribute("aria-label", `Milliseconds from the end of speech: ${said}`);
    const list = make("ul", null, "legend");
    let from = 0;
    for (const mark of marks) {
      const style = `span ${mark.name.replace(/_ms$/, "")}`;
      if (x(mark.at_ms) > x(from)) svg.append(draw("rect", {class: style, x: x(from), y: 0, width: x(mark.at_ms) - x(from), height: BAR}));
      from = mark.at_ms;
      const item = make("li"), key = draw("svg", {viewBox: "0 0 30 12", "aria-hidden": "true"});
      key.append(draw("rect", {class: style, width: 30, height: 12}));
      item.append(key, `${mark.title} ${number(mark.at_ms)} ms`);
      list.append(item);
    }
    part.append(svg, list);
    return part;
  };

  const labelled = (name, text) => {
    const made = make("p");
    made.append(make("b", `${name}: `), text);
    return made;
  };

  const card = (turn) => {
    const made = make("article", null, "turn"), audible = turn.marks.find((each) => each.name === "first_audible_ms");
    made.append(make("h3", `Call ${turn.call}, turn ${turn.turn + 1}: ${turn.status !== "ok" ? turn.meaning || turn.status : audible ? `first audible after ${number(audible.at_ms)} ms` : "answered"}`));
    if (turn.status !== "ok" && turn.error) made.append(make("p", turn.error, "small"));
    made.append(waterfall(turn), labelled("Said", turn.said));
    if (turn.heard !== null) made.append(labelled("Heard as", `${turn.heard || "(nothing)"}${known(turn.wer) ? ` (WER ${number(100 * turn.wer, 1)} %)` : ""}`));
    made.append(labelled("Reply", turn.reply || "-"), labelled("Cost", `${turn.cost}${turn.cost_note ? ` (${turn.cost_note})` : ""}`));
    const figures = turn.figures.filter((each) => known(each.value)).map((each) => `${each.title} ${number(each.value, each.decimals)}`);
    made.append(make("p", figures.join(" · "), "small soft"));
    if (turn.doubts.length) {
      const doubts = make("ul");
      doubts.append(...turn.doubts.map((each) => make("li", `${each}.`)));
      const part = make("div", null, "small doubt");
      part.append(make("p", "Latencies count from the end of your speech, and what was heard of you leaves a doubt about it:"), doubts);
      made.append(part);
    }
    if (turn.sharpness) made.append(make("p", turn.sharpness, "small soft"));
    if (turn.late) made.append(make("p", "This machine was late itself in this turn: a run would leave it out.", "small doubt"));
    if (turn.again) {
      const again = make("button", "Hear the reply again");
      again.type = "button";
      again.addEventListener("click", () => hear(turn.number));
      made.append(again);
    }
    return made;
  };

  const hear = (number) => {
    const audio = at("talk-audio");
    audio.hidden = false;
    audio.src = `${url("talk/reply")}&turn=${number}`;
    audio.play().catch(() => { complaint = "The browser does not play sound by itself: press play."; controls(); });
  };

  const show = (fresh) => {
    const first = !talk;
    talk = fresh;
    if (first) {
      at("talk-fixture").replaceChildren(...talk.fixtures.map((each) => {
        const option = make("option", `${each.id}: ${each.text}`);
        option.value = each.id;
        return option;
      }));
      at("talk-about").textContent = navigator.mediaDevices ? ""
        : "A browser gives the microphone to pages of this machine (127.0.0.1) or over HTTPS alone; recordings can be played.";
    }
    if (!open() && talk.status !== "connecting") closeMicrophone();
    if (talk.status === "replying" && talk.reply !== null && talk.reply !== played) hear(played = talk.reply);
    controls();
    const {text, unknown, book} = talk.spent, sum = talk.turns.length ? `Spent on this page: ${text}` : "Nothing is spent yet";
    const also = unknown ? `, and ${unknown} ${unknown === 1 ? "turn" : "turns"} without a price` : "";
    at("talk-spent").textContent = `${sum}${also}; ${book ? `prices of ${book}` : "no price book lists the model"}.`;
    const key = JSON.stringify(talk.turns);
    if (key !== drawn) at("talk-turns").replaceChildren(...[...talk.turns].reverse().map(card));
    drawn = key;
  };

  const start = (how) => {
    ({post, url} = how);
    at("talk-call").addEventListener("click", () => tell(open() || talk.status === "connecting" ? "talk/end" : "talk/begin"));
    at("talk-speak").addEventListener("click", speak);
    at("talk-play").addEventListener("click", () => tell("talk/play", at("talk-fixture").value));
  };

  return {start, show};
})();
