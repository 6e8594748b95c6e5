! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The 53 runs of the test problems through both drivers.
!>
!> A run must end at a known minimum with an exit code that says so, and what the driver reports of itself
!> must be true: counts, residuals, triangle, pivots.
program test_problems
    use kinds, only: wp, eps, info_gtol, info_gtol_too_small
    use norms, only: is_finite
    use fits, only: fit_options, fit_outcome, fit_with_jacobian, fit_by_differences
    use problems, only: problem_size, sizes, names, residuals, jacobian, starting_point, minima
    use recorded_problems, only: start_record, problem_residuals, problem_with_jacobian, residual_calls, &
        jacobian_calls, jacobian_point
    use matrices, only: upper_triangle, is_permutation, scaled_difference, column_norms, length
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    !> Problems whose minima are published to six digits, some of them cut: 1e-5 of the sum of squares at most.
    real(wp), parameter :: published_accuracy = 5.0e-6_wp

    !> Evaluations of residuals and Jacobian that MINPACK's `lmder` takes from the standard starts. Zero where
    !> rounding decides: long runs, and those that end at a J that is singular or nearly so.
    integer, parameter :: counts(2, size(sizes)) = reshape([ &
        3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 21, 16, 11, 8, 0, 0, 14, 8, 6, 5, 18, 16, 0, 0, 8, 7, 8, 7, 0, 0, &
        7, 6, 21, 12, 0, 0, 1, 1, 39, 20, 12, 9, 25, 12, 14, 12, 19, 14, 19, 14, 18, 15, 16, 12], [2, size(sizes)])

    type(fit_options) :: options
    integer :: i, k, runs

    runs = 0
    do i = 1, size(sizes)
        options%maxfev = 500*(sizes(i)%n + 1)
        do k = 0, sizes(i)%starts - 1
            call run_with_jacobian(sizes(i), 10.0_wp**k, merge(counts(:, i), 0, k == 0))
            call run_by_differences(sizes(i), 10.0_wp**k)
            runs = runs + 1
        end do
    end do
    call check_equal(runs, 53, "runs")
    call finish()

contains

    subroutine run_with_jacobian(run, multiple, expected_counts)
        type(problem_size), intent(in) :: run
        real(wp), intent(in) :: multiple
        integer, intent(in) :: expected_counts(2)       !! evaluations of residuals and Jacobian, zero if not known

        type(fit_outcome) :: fit
        character(:), allocatable :: what

        what = title(run, multiple, "lmder")
        call start_record(run%problem)
        fit = fit_with_jacobian(problem_with_jacobian, run%m, starting_point(run%problem, run%n, multiple), options)
        call check_equal(fit%nfev, residual_calls, what//": nfev")
        call check_equal(fit%njev, jacobian_calls, what//": njev")
        if (expected_counts(1) > 0) then
            call check_equal(fit%nfev, expected_counts(1), what//": evaluations of the residuals")
            call check_equal(fit%njev, expected_counts(2), what//": evaluations of the Jacobian")
        end if
        call check_report(run, fit, what)
        call check_triangle(run, fit, what)
        ! At Powell's minimum J is singular and convergence linear: neither the sum of squares nor x ever
        ! changes by little, and the run ends when the gradient drowns in rounding.
        if (run%problem == 6) then
            call check(fit%info == info_gtol .or. fit%info == info_gtol_too_small, what//": ended by the gradient")
        else
            call check(fit%info >= 1 .and. fit%info <= 4, what//": solved, info is "//digits_of(fit%info))
        end if
        call check_minimum(run, fit, accuracy(run), what)
        call check_gradient(run, fit, what)
    end subroutine run_with_jacobian

    subroutine run_by_differences(run, multiple)
        type(problem_size), intent(in) :: run
        real(wp), intent(in) :: multiple

        type(fit_outcome) :: fit
        character(:), allocatable :: what

        what = title(run, multiple, "lmdif")
        call start_record(run%problem)
        fit = fit_by_differences(problem_residuals, run%m, starting_point(run%problem, run%n, multiple), options)
        call check_equal(fit%nfev, residual_calls, what//": nfev")
        call check_report(run, fit, what)
        if (differences_fail(run, multiple)) return
        ! At Powell's singular J the differences never settle, and how the run ends is up to rounding.
        if (run%problem /= 6) call check(fit%info >= 1 .and. fit%info <= 4, what//": solved, info is " &
                                         //digits_of(fit%info))
        if (run%problem == 11 .and. run%n > 6) then
            ! Coefficients of a polynomial: the condition of J (4e4 for n = 9, 8e6 for n = 12) multiplies the error
            ! of the differences, and the fit ends within a percent of the minimum.
            call check_minimum(run, fit, 1.0e-2_wp, what)
        else
            call check_minimum(run, fit, accuracy(run), what)
            call check_gradient(run, fit, what)
        end if
    end subroutine run_by_differences

    !> Runs that differences cannot finish: Meyer's model from far away does not change with its parameters within
    !> the precision, and Watson's from zero passes a point with a component so near zero that the step
    !> relative to it does not change the residuals.
    pure function differences_fail(run, multiple) result(fails)
        type(problem_size), intent(in) :: run
        real(wp), intent(in) :: multiple
        logical :: fails

        fails = run%problem == 10 .and. multiple > 1.0_wp
        if (run%problem == 11 .and. run%n == 6) fails = multiple <= 1.0_wp
    end function differences_fail

    pure function title(run, multiple, driver) result(what)
        type(problem_size), intent(in) :: run
        real(wp), intent(in) :: multiple
        character(*), intent(in) :: driver
        character(:), allocatable :: what

        what = driver//", "//trim(names(run%problem))//" "//digits_of(run%m)//" x "//digits_of(run%n)//" from " &
               //digits_of(nint(multiple))//" times the start"
    end function title

    !> How well the root of the sum of squares at the minimum is known: linear problems have formulas.
    pure function accuracy(run) result(relative)
        type(problem_size), intent(in) :: run
        real(wp) :: relative

        relative = published_accuracy
        if (run%problem <= 3) relative = run%m*eps
    end function accuracy

    !> What holds of every run, whatever its end.
    subroutine check_report(run, fit, what)
        type(problem_size), intent(in) :: run
        type(fit_outcome), intent(in) :: fit
        character(*), intent(in) :: what

        call check(fit%info >= 1 .and. fit%info <= 8, what//": info is in range")
        call check(fit%nfev > 0, what//": residuals were evaluated")
        call check(all(fit%fvec == residuals(run%problem, run%m, fit%x)), what//": fvec is f(x) to the bit")
        call check(is_permutation(fit%ipvt), what//": ipvt is a permutation")
        call check(all(fit%diag > 0.0_wp), what//": the scaling is positive")
        call check(all(is_finite(fit%qtf)) .and. all(is_finite(fit%fjac(:run%n, :))), what//": qtf and R are finite")
    end subroutine check_report

    !> R belongs to the last Jacobian: RᵀR = Pᵀ JᵀJ P to the rounding of the factorisation.
    subroutine check_triangle(run, fit, what)
        type(problem_size), intent(in) :: run
        type(fit_outcome), intent(in) :: fit
        character(*), intent(in) :: what

        real(wp) :: jac(run%m, run%n), f(run%m), norms(run%n), r(run%n, run%n)
        integer :: j

        jac = jacobian(run%problem, run%m, jacobian_point)
        f = residuals(run%problem, run%m, jacobian_point)
        jac = jac(:, fit%ipvt)
        norms = column_norms(jac)
        r = upper_triangle(fit%fjac)
        call check_at_most(scaled_difference(matmul(transpose(r), r), matmul(transpose(jac), jac), norms), &
                           2*run%m*run%n*eps, what//": error of Rᵀ R = Pᵀ Jᵀ J P")
        do j = 1, run%n
            call check_at_most(abs(dot_product(r(:, j), fit%qtf) - dot_product(jac(:, j), f)), &
                               2*run%m*run%n*eps*norms(j)*length(f), what//": error of Rᵀ qtf = Pᵀ Jᵀ f")
        end do
    end subroutine check_triangle

    !> ‖f‖ is that of a known minimum; where that is zero, it is the rounding of the residuals.
    subroutine check_minimum(run, fit, relative, what)
        type(problem_size), intent(in) :: run
        type(fit_outcome), intent(in) :: fit
        real(wp), intent(in) :: relative
        character(*), intent(in) :: what

        real(wp) :: distance
        real(wp), allocatable :: known(:)

        allocate (known, source=sqrt(minima(run%problem, run%n, run%m)))
        distance = minval(abs(length(fit%fvec) - known) - relative*known)
        call check_at_most(distance, 100*run%n**2*eps, what//": distance of ‖f‖ from a known minimum")
    end subroutine check_minimum

    !> f is orthogonal to the columns of J, in the scaling D of the method, where there is a residual left.
    !>
    !> A step that ends a fit satisfies (JᵀJ + par D²) p = -Jᵀf and its predicted reduction is at most ftol, hence
    !> ‖D⁻¹ Jᵀf‖² <= (n + par) ftol ‖f‖² before it. By then par is small; twice the root of n ftol allows for it
    !> and for what the step itself changes.
    subroutine check_gradient(run, fit, what)
        type(problem_size), intent(in) :: run
        type(fit_outcome), intent(in) :: fit
        character(*), intent(in) :: what

        real(wp) :: gradient(run%n)

        if (minval(minima(run%problem, run%n, run%m)) <= 0.0_wp .and. length(fit%fvec) < 1.0e-3_wp) return
        gradient = matmul(fit%fvec, jacobian(run%problem, run%m, fit%x))/fit%diag
        call check_at_most(length(gradient), 2.0_wp*sqrt(run%n*options%ftol)*length(fit%fvec), &
                           what//": gradient at the minimum")
    end subroutine check_gradient

end program test_problems
