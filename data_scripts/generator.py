"""What fills the files of a study. Everything heavy is imported only when it is needed."""

from data_scripts.records import code_digest


class Generator:
    """The simulator, as `study.simulate_study` sees it. The tests put a small one in its place."""

    def code(self):
        """Digest the code that decides what is written.

        Returns
        -------
        str
            A study begun with another digest is not continued.
        """
        return code_digest()

    def load_ingredients(self, profile):
        """Load what all people share.

        Parameters
        ----------
        profile : Profile
            Size of the study.

        Returns
        -------
        Ingredients
            Goes to every worker.
        """
        from data_scripts.templates import load_ingredients

        return load_ingredients(profile)

    def simulate_person(self, person, profile, ingredients, seed):
        """Go through one person's files.

        Parameters
        ----------
        person : Person
            Whom.
        profile : Profile
            Size of the images.
        ingredients : Ingredients
            From `load_ingredients`.
        seed : int
            Of the study.

        Returns
        -------
        iterator of (Path, content)
            As `write_bids.write_content` takes them.
        """
        from data_scripts.person import simulate_person

        return simulate_person(person, profile, ingredients, seed)

    def atlas_files(self):
        """Go through the atlas's files.

        Returns
        -------
        iterator of (Path, content)
            As `write_bids.write_content` takes them.
        """
        from data_scripts.atlas import atlas_files

        return atlas_files()
