! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What the drivers promise about their options: improper input, scaling, tolerances, bounds.
program test_drivers
    use kinds, only: wp, eps, info_improper_input, info_ftol, info_xtol, info_ftol_and_xtol, info_gtol, info_maxfev, &
        info_ftol_too_small, info_xtol_too_small, info_gtol_too_small
    use fits, only: fit_options, fit_outcome, fit_with_jacobian, fit_by_differences, untouched
    use problems, only: residuals, jacobian, starting_point
    use differences, only: fdjac2
    use reductions, only: reduction, factor
    use recorded_problems, only: start_record, problem_residuals, problem_with_jacobian, residual_calls, &
        jacobian_calls, print_calls
    use matrices, only: upper_triangle, column_norms, length, greatest
    use awkward_models, only: reversed_jacobian
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    ! Most of it is tried on Bard's problem, which both drivers solve in a few steps.
    integer, parameter :: bard = 8, m = 15, n = 3

    call check_improper_inputs()
    call check_given_scaling()
    call check_leading_dimension()
    call check_maxfev()
    call check_gtol()
    call check_no_tolerance()
    call check_exit_codes()
    call check_uphill()
    call check_difference_jacobian()
    call finish()

contains

    function lmder_fit(options, diag) result(fit)
        type(fit_options), intent(in) :: options
        real(wp), intent(in), optional :: diag(:)
        type(fit_outcome) :: fit

        fit = fit_with_jacobian(problem_with_jacobian, m, starting_point(bard, n, 1.0_wp), options, diag)
    end function lmder_fit

    function lmdif_fit(options, diag) result(fit)
        type(fit_options), intent(in) :: options
        real(wp), intent(in), optional :: diag(:)
        type(fit_outcome) :: fit

        fit = fit_by_differences(problem_residuals, m, starting_point(bard, n, 1.0_wp), options, diag)
    end function lmdif_fit

    !> Every improper argument gives info 0 before anything is evaluated or changed.
    subroutine check_improper_inputs()
        real(wp), parameter :: unit(n) = 1.0_wp
        real(wp) :: none(0)

        call check_improper(m, unit, fit_options(ftol=-eps), "negative ftol")
        call check_improper(m, unit, fit_options(xtol=-eps), "negative xtol")
        call check_improper(m, unit, fit_options(gtol=-eps), "negative gtol")
        call check_improper(m, unit, fit_options(maxfev=0), "maxfev zero")
        call check_improper(m, unit, fit_options(maxfev=-1), "maxfev negative")
        call check_improper(m, unit, fit_options(factor=0.0_wp), "factor zero")
        call check_improper(m, unit, fit_options(factor=-1.0_wp), "factor negative")
        call check_improper(m, unit, fit_options(padding=-1), "leading dimension below m")
        call check_improper(n - 1, unit, fit_options(), "fewer residuals than parameters")
        call check_improper(m, none, fit_options(), "no parameters")
        call check_improper(m, unit, fit_options(mode=2), "a scale factor of zero", [1.0_wp, 0.0_wp, 1.0_wp])
        call check_improper(m, unit, fit_options(mode=2), "a negative scale factor", [1.0_wp, 1.0_wp, -1.0_wp])
    end subroutine check_improper_inputs

    subroutine check_improper(rows, start, options, what, diag)
        integer, intent(in) :: rows
        real(wp), intent(in) :: start(:)
        type(fit_options), intent(in) :: options
        character(*), intent(in) :: what
        real(wp), intent(in), optional :: diag(:)

        type(fit_outcome) :: fit

        call start_record(bard)
        fit = fit_with_jacobian(problem_with_jacobian, rows, start, options, diag)
        call check_untouched(fit, start, "lmder, "//what)
        fit = fit_by_differences(problem_residuals, rows, start, options, diag)
        call check_untouched(fit, start, "lmdif, "//what)
        call check_equal(residual_calls + jacobian_calls + print_calls, 0, what//": calls")
    end subroutine check_improper

    subroutine check_untouched(fit, start, what)
        type(fit_outcome), intent(in) :: fit
        real(wp), intent(in) :: start(:)
        character(*), intent(in) :: what

        call check_equal(fit%info, info_improper_input, what//": info")
        call check_equal(fit%nfev, 0, what//": nfev")
        call check(fit%njev <= 0, what//": no Jacobian is counted")
        call check(all(fit%x == start), what//": x is untouched")
        call check(all(fit%fvec == untouched), what//": fvec is untouched")
        call check(all(fit%fjac == untouched), what//": fjac is untouched")
    end subroutine check_untouched

    !> With mode 2 the scaling given is kept, and one that is the same as the automatic one gives the same fit.
    subroutine check_given_scaling()
        type(fit_outcome) :: automatic, given
        type(fit_options) :: first_step
        real(wp) :: diag(n), norms(n)

        diag = [3.0_wp, 0.5_wp, 20.0_wp]
        call start_record(bard)
        given = lmder_fit(fit_options(mode=2), diag)
        call check(all(given%diag == diag), "lmder, given scaling: kept")
        call check(given%info >= 1 .and. given%info <= 4, "lmder, given scaling: solved")
        given = lmdif_fit(fit_options(mode=2), diag)
        call check(all(given%diag == diag), "lmdif, given scaling: kept")
        call check(given%info >= 1 .and. given%info <= 4, "lmdif, given scaling: solved")

        first_step = fit_options(maxfev=1)
        automatic = lmder_fit(first_step)
        norms = column_norms(jacobian(bard, m, starting_point(bard, n, 1.0_wp)))
        call check_at_most(greatest(automatic%diag/norms - 1.0_wp), m*eps, &
                           "automatic scaling: error of the norms at the start")
        first_step%mode = 2
        given = lmder_fit(first_step, automatic%diag)
        call check(all(given%x == automatic%x), "automatic scaling given: same step")
        automatic = lmder_fit(fit_options())
        call check(all(automatic%diag >= norms*(1.0_wp - m*eps)), "automatic scaling: never below the first norms")
    end subroutine check_given_scaling

    !> A larger leading dimension changes nothing but where R lies.
    subroutine check_leading_dimension()
        type(fit_outcome) :: tight, padded

        call start_record(bard)
        tight = lmder_fit(fit_options())
        padded = lmder_fit(fit_options(padding=4))
        call check_same(padded, tight, "lmder, leading dimension")
        call check(all(padded%fjac(:m, :) == tight%fjac), "lmder, leading dimension: same fjac")
        call check(all(padded%fjac(m + 1:, :) == untouched), "lmder, leading dimension: padding untouched")
        tight = lmdif_fit(fit_options())
        padded = lmdif_fit(fit_options(padding=4))
        call check_same(padded, tight, "lmdif, leading dimension")
        call check(all(padded%fjac(:m, :) == tight%fjac), "lmdif, leading dimension: same fjac")
        call check(all(padded%fjac(m + 1:, :) == untouched), "lmdif, leading dimension: padding untouched")
    end subroutine check_leading_dimension

    subroutine check_same(one, other, what)
        type(fit_outcome), intent(in) :: one, other
        character(*), intent(in) :: what

        call check(all(one%x == other%x) .and. all(one%fvec == other%fvec), what//": same solution")
        call check_equal(one%info, other%info, what//": info")
        call check(one%nfev == other%nfev .and. one%njev == other%njev, what//": same counts")
        call check(all(one%qtf == other%qtf) .and. all(one%ipvt == other%ipvt), what//": same factorisation")
    end subroutine check_same

    !> A run may exceed maxfev by the differences it has begun, no more.
    subroutine check_maxfev()
        type(fit_outcome) :: fit
        integer :: most

        do most = 1, 5
            call start_record(bard)
            fit = lmder_fit(fit_options(maxfev=most, ftol=0.0_wp, xtol=0.0_wp))
            call check_equal(fit%info, info_maxfev, "lmder, maxfev: info")
            call check_equal(fit%nfev, max(most, 2), "lmder, maxfev: nfev")
            call check(all(fit%fvec == residuals(bard, m, fit%x)), "lmder, maxfev: fvec is f(x)")
            fit = lmdif_fit(fit_options(maxfev=most, ftol=0.0_wp, xtol=0.0_wp))
            call check_equal(fit%info, info_maxfev, "lmdif, maxfev: info")
            call check(fit%nfev >= most .and. fit%nfev <= max(most, 2) + n, "lmdif, maxfev: nfev")
        end do
    end subroutine check_maxfev

    !> gtol bounds the cosine between f and every column of J at the solution.
    subroutine check_gtol()
        type(fit_outcome) :: fit
        real(wp) :: jac(m, n), cosines(n)

        call start_record(bard)
        fit = lmder_fit(fit_options(gtol=1.0e-3_wp, ftol=0.0_wp, xtol=0.0_wp))
        jac = jacobian(bard, m, fit%x)
        cosines = matmul(fit%fvec, jac)/(column_norms(jac)*length(fit%fvec))
        call check_equal(fit%info, info_gtol, "gtol: info")
        call check_at_most(greatest(cosines), 1.0e-3_wp*(1.0_wp + 1.0e-10_wp), "gtol: largest cosine")

        fit = lmder_fit(fit_options(gtol=1.0_wp))
        call check_equal(fit%info, info_gtol, "gtol of 1: info")
        call check_equal(fit%nfev, 1, "gtol of 1: nfev")
        call check(all(fit%x == starting_point(bard, n, 1.0_wp)), "gtol of 1: x stays")
    end subroutine check_gtol

    !> Without tolerances the fit ends when the precision is exhausted, and says which test noticed.
    subroutine check_no_tolerance()
        type(fit_outcome) :: fit
        real(wp) :: jac(m, n)

        call start_record(bard)
        fit = lmder_fit(fit_options(ftol=0.0_wp, xtol=0.0_wp))
        jac = jacobian(bard, m, fit%x)
        call check(fit%info >= info_ftol_too_small .and. fit%info <= info_gtol_too_small, "no tolerance: info is " &
                   //digits_of(fit%info))
        ! A reduction of eps in the sum of squares is a cosine of its root.
        call check_at_most(greatest((matmul(fit%fvec, jac))/column_norms(jac)), sqrt(n*eps)*length(fit%fvec), &
                           "no tolerance: gradient")
    end subroutine check_no_tolerance

    !> Each tolerance has its code, and so has each when there is none but the precision is exhausted.
    subroutine check_exit_codes()
        integer, parameter :: linear = 1, freudenstein_roth = 7, powell_singular = 6
        real(wp), parameter :: tol = 1.0e-8_wp

        ! The second step of a linear problem changes neither the sum of squares nor x by more than rounding.
        call check_exit_code(linear, 10, 5, fit_options(ftol=tol, xtol=tol), info_ftol_and_xtol)
        call check_exit_code(linear, 10, 5, fit_options(ftol=tol, xtol=0.0_wp), info_ftol)
        call check_exit_code(linear, 10, 5, fit_options(ftol=0.0_wp, xtol=tol), info_xtol)
        ! Linear convergence to a minimum with large residuals; and to one where J is singular.
        call check_exit_code(freudenstein_roth, 2, 2, fit_options(ftol=0.0_wp, xtol=0.0_wp), info_ftol_too_small)
        call check_exit_code(powell_singular, 4, 4, fit_options(ftol=0.0_wp, xtol=0.0_wp), info_gtol_too_small)
    end subroutine check_exit_codes

    subroutine check_exit_code(problem, residual_count, parameters, options, expected)
        integer, intent(in) :: problem, residual_count, parameters
        type(fit_options), intent(in) :: options
        integer, intent(in) :: expected

        real(wp) :: start(parameters)
        type(fit_outcome) :: fit

        call start_record(problem)
        start = starting_point(problem, parameters, 1.0_wp)
        fit = fit_with_jacobian(problem_with_jacobian, residual_count, start, options)
        call check_equal(fit%info, expected, "exit code of problem "//digits_of(problem))
    end subroutine check_exit_code

    !> Where no step leads downhill the bound shrinks until x would not change, and x stays.
    subroutine check_uphill()
        type(fit_outcome) :: fit

        fit = fit_with_jacobian(reversed_jacobian, 1, [1.0_wp], fit_options(ftol=0.0_wp))
        call check_equal(fit%info, info_xtol, "uphill: info")
        call check(fit%x(1) == 1.0_wp .and. fit%fvec(1) == 1.0_wp, "uphill: x stays")
        call check_equal(fit%njev, 1, "uphill: njev")
        fit = fit_with_jacobian(reversed_jacobian, 1, [1.0_wp], fit_options(ftol=0.0_wp, xtol=0.0_wp))
        call check_equal(fit%info, info_xtol_too_small, "uphill without tolerance: info")
        call check(fit%x(1) == 1.0_wp .and. fit%fvec(1) == 1.0_wp, "uphill without tolerance: x stays")
    end subroutine check_uphill

    !> After one step R is that of the forward differences at the start, to the bit.
    subroutine check_difference_jacobian()
        real(wp), parameter :: errors(*) = [0.0_wp, 1.0e-8_wp]
        type(fit_outcome) :: fit
        type(reduction) :: expected
        real(wp) :: x(n), f(m), fjac(m, n), work(m)
        integer :: iflag, k

        do k = 1, size(errors)
            call start_record(bard)
            fit = lmdif_fit(fit_options(maxfev=1, epsfcn=errors(k)))
            x = starting_point(bard, n, 1.0_wp)
            f = residuals(bard, m, x)
            call fdjac2(problem_residuals, m, n, x, f, fjac, m, iflag, errors(k), work)
            expected = factor(fjac, f)
            call check(all(upper_triangle(fit%fjac) == expected%r), "lmdif: R of the differences at the start")
            call check(all(fit%qtf == expected%qtf), "lmdif: qtf of the differences at the start")
            call check(all(fit%ipvt == expected%ipvt), "lmdif: pivots of the differences at the start")
        end do
    end subroutine check_difference_jacobian

end program test_drivers
