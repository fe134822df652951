Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0.04,
  center: false,
  hash: true,
  slideNumber: 'c/t',
  transition: 'none',
  plugins: [RevealNotes],
}).then(fit);

// what is too tall for its slide gets smaller letters and figures
function fit() {
  const slides = Reveal.getSlides();
  document.body.classList.add('measuring');
  for (const slide of slides) {
    for (let percent = 100; percent >= 50 && slide.scrollHeight > 720; percent -= 5) {
      slide.style.setProperty('--fit', percent / 100);
    }
  }
  document.body.classList.remove('measuring');
  Reveal.layout();
  document.body.dataset.ready = slides.length;
}
